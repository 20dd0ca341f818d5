"""Sample data, drawn rather than downloaded: what the demo and the tests run on."""

from sslcore.data.sample.write import SampleReport, write_sample

__all__ = ["SampleReport", "write_sample"]
