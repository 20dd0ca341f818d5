"use strict";
// Thumbnails lie on a few sheets (an atlas); here is where each one lies, and how to show it.

/** One atlas of the page: its sheets as images for the map's canvas, and as backgrounds for elements. */
class Thumbnails {
  constructor(atlas, name) {
    this.atlas = atlas;
    this.name = name;
    this.images = atlas.sheets.map((sheet, index) => {
      // A short blob address: a data address of a megabyte would be parsed again for every element.
      const address = URL.createObjectURL(toBlob(sheet.uri));
      document.documentElement.style.setProperty("--" + name + "-" + index, "url(" + address + ")");
      const image = new Image();
      image.src = address;
      return image;
    });
  }

  /** Resolves when every sheet can be drawn. */
  ready() {
    return Promise.all(this.images.map((image) => image.decode()));
  }

  /** The sheet of a tile and the box of the picture on it, in the sheet's pixels. */
  place(tile) {
    const { tileSize, columns, tilesPerSheet, shapes } = this.atlas;
    const [width, height] = shapes[tile];
    const at = tile % tilesPerSheet;
    return {
      sheet: Math.floor(tile / tilesPerSheet),
      left: (at % columns) * tileSize + Math.floor((tileSize - width) / 2),
      top: Math.floor(at / columns) * tileSize + Math.floor((tileSize - height) / 2),
      width,
      height,
    };
  }

  /** Draw a tile around a place of a canvas, its longer side `size` long; returns its width and height. */
  paint(pen, tile, x, y, size) {
    const { sheet, left, top, width, height } = this.place(tile);
    const scale = size / this.atlas.tileSize;
    const [w, h] = [width * scale, height * scale];
    if (this.images[sheet].complete) {
      pen.drawImage(this.images[sheet], left, top, width, height, x - w / 2, y - h / 2, w, h);
    }
    return [w, h];
  }

  /** An element that shows a tile, its longer side `size` long. */
  element(tile, size) {
    const { sheet, left, top, width, height } = this.place(tile);
    const scale = size / this.atlas.tileSize;
    const { width: sheetWidth, height: sheetHeight } = this.atlas.sheets[sheet];
    const element = make("span", { class: "thumb", "aria-hidden": "true" });
    element.style.width = width * scale + "px";
    element.style.height = height * scale + "px";
    element.style.backgroundImage = "var(--" + this.name + "-" + sheet + ")";
    element.style.backgroundSize = sheetWidth * scale + "px " + sheetHeight * scale + "px";
    element.style.backgroundPosition = -left * scale + "px " + -top * scale + "px";
    return element;
  }
}

function toBlob(uri) {
  const [head, body] = uri.split(",");
  const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
  return new Blob([bytes], { type: head.slice("data:".length, head.indexOf(";")) });
}

const thumbnails = new Thumbnails(content.atlas, "small");
const largeThumbnails = new Thumbnails(content.largeAtlas, "large");
const pointByName = new Map(content.map.points.map((point, index) => [point.name, index]));
const largeByName = new Map(content.selection.map((pick) => [pick.name, pick.large]));

/** The best picture there is of a sample, in a square of `size`; an empty square if there is none. */
function picture(name, size) {
  const frame = make("span", { class: "frame" });
  frame.style.width = frame.style.height = size + "px";
  const large = largeByName.get(name) ?? null;
  if (large !== null) frame.append(largeThumbnails.element(large, size));
  else if (pointByName.has(name)) frame.append(thumbnails.element(content.map.points[pointByName.get(name)].tile, size));
  return frame;
}
