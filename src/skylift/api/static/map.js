// Draws the map and the sky as SVG. Colours live in page.css; the page's policy allows no inline styles.

const SVG = "http://www.w3.org/2000/svg";
const RAD = Math.PI / 180;
// With more terminals than this, names and thick lines would hide the map.
const MANY = 60;

export function draw(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function titled(element, text) {
  draw(element, "title", {}, text);
}

/** Longitude and latitude to pixels: equal steps, with longitudes narrowed as in the middle of the box. */
function projection(box, width) {
  const narrow = Math.cos(((box.south + box.north) / 2) * RAD);
  const scale = width / ((box.east - box.west) * narrow);
  return {
    height: Math.round((box.north - box.south) * scale),
    at: (longitude, latitude) => [(longitude - box.west) * narrow * scale, (box.north - latitude) * scale],
  };
}

export class LinkMap {
  constructor(svg, box, width) {
    this.svg = svg;
    this.box = box;
    this.width = width;
    this.projected = projection(box, this.width);
    svg.setAttribute("viewBox", `0 0 ${this.width} ${this.projected.height}`);
    svg.replaceChildren();
    const path = box.rings.map((ring) => this.#ring(ring)).join("");
    draw(svg, "path", { class: "land", d: path });
    this.layer = draw(svg, "g", {});
  }

  #ring(ring) {
    const points = [];
    for (let i = 0; i < ring.length; i += 2) {
      const [x, y] = this.projected.at(ring[i], ring[i + 1]);
      points.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
    }
    return `M${points.join("L")}Z`;
  }

  #at(site) {
    return this.projected.at(site.longitude_deg, site.latitude_deg);
  }

  #isInside([x, y]) {
    return x > -40 && y > -40 && x < this.width + 40 && y < this.projected.height + 40;
  }

  update({ links, terminals, gateways, satellites, chosen }) {
    this.layer.replaceChildren();
    this.layer.setAttribute("class", links.length > MANY ? "many" : "");
    const serving = new Set(links.flatMap((link) => link.path));
    const used = new Set(links.map((link) => link.gateway));
    this.#links(links, terminals, gateways, satellites, chosen);
    for (const gateway of gateways.values()) {
      const [x, y] = this.#at(gateway);
      const size = used.has(gateway.gateway) ? 7 : 4;
      if (!this.#isInside([x, y])) continue;
      const mark = draw(this.layer, "path", {
        class: used.has(gateway.gateway) ? "gateway used" : "gateway",
        d: `M${x} ${y - size}L${x + size} ${y + size * 0.8}L${x - size} ${y + size * 0.8}Z`,
      });
      titled(mark, `${gateway.name}, within ${Math.round(gateway.accuracy_m / 1000)} km`);
      if (used.has(gateway.gateway)) {
        draw(this.layer, "text", { class: "small", x: x + 10, y: y + 5 }, gateway.name.split(",")[0]);
      }
    }
    for (const satellite of satellites.values()) {
      const [x, y] = this.#at(satellite);
      if (!this.#isInside([x, y])) continue;
      const serves = serving.has(satellite.norad);
      const mark = draw(this.layer, "circle", {
        class: serves ? "satellite serving" : "satellite", cx: x, cy: y, r: serves ? 5 : 2.2,
      });
      titled(mark, `${satellite.name || "satellite"} (${satellite.norad}), ${Math.round(satellite.altitude_km)} km high`);
    }
    this.#terminals(links, terminals, chosen);
  }

  #label(x, y, text) {
    const left = x > this.width - 110;
    draw(this.layer, "text", { x: left ? x - 10 : x + 10, y: y - 7, "text-anchor": left ? "end" : "start" }, text);
  }

  #links(links, terminals, gateways, satellites, chosen) {
    // The chosen one last, so that it lies on top.
    for (const link of [...links.filter((one) => one.terminal !== chosen), ...links.filter((one) => one.terminal === chosen)]) {
      const terminal = terminals.get(link.terminal);
      if (link.why_down !== null || !terminal) continue;
      const hops = link.path.map((norad) => satellites.get(norad)).filter(Boolean);
      const gateway = gateways.get(link.gateway);
      const points = [terminal, ...hops, gateway].filter(Boolean).map((site) => this.#at(site));
      const kind = link.terminal === chosen ? "link chosen" : "link";
      for (let i = 1; i < points.length; i++) {
        const line = `M${points[i - 1].join(" ")}L${points[i].join(" ")}`;
        draw(this.layer, "path", { class: i === 1 ? kind : `${kind} feeder`, d: line });
      }
    }
  }

  #terminals(links, terminals, chosen) {
    const many = links.length > MANY;
    for (const link of links) {
      const terminal = terminals.get(link.terminal);
      if (!terminal) continue;
      const [x, y] = this.#at(terminal);
      const mark = draw(this.layer, "circle", {
        class: link.why_down === null ? "terminal up" : "terminal down",
        cx: x, cy: y, r: many ? 3 : link.terminal === chosen ? 7.5 : 6,
      });
      titled(mark, link.terminal);
      if (!many || link.terminal === chosen) this.#label(x, y, link.terminal);
    }
  }
}

/** The sky seen from one terminal: zenith in the middle, north up, east to the right. */
export class SkyPlot {
  constructor(svg) {
    this.svg = svg;
    this.radius = 190;
    this.before = new Map();
    svg.setAttribute("viewBox", "-225 -222 450 444");
  }

  #at(azimuthDeg, elevationDeg) {
    const distance = this.radius * (1 - elevationDeg / 90);
    return [distance * Math.sin(azimuthDeg * RAD), -distance * Math.cos(azimuthDeg * RAD)];
  }

  update({ terminal, seen, link, atUs, slotUs }) {
    this.svg.replaceChildren();
    this.#rings(terminal);
    const before = this.before.terminal === terminal.terminal && atUs - this.before.atUs === slotUs ? this.before.at : new Map();
    const at = new Map();
    const last = [];
    for (const satellite of seen) {
      const [x, y] = this.#at(satellite.azimuth_deg, satellite.elevation_deg);
      at.set(satellite.norad, [x, y]);
      const was = before.get(satellite.norad);
      if (was) draw(this.svg, "line", { class: "trail", x1: was[0], y1: was[1], x2: x, y2: y });
      const serves = link.satellite === satellite.norad;
      const kind = serves ? "serving" : satellite.usable ? "usable" : "";
      const mark = draw(this.svg, "circle", {
        class: `satellite ${kind}`, cx: x, cy: y, r: serves ? 8 : satellite.usable ? 5 : 3.5,
      });
      titled(mark, `${satellite.name || "satellite"} (${satellite.norad}), ${satellite.elevation_deg.toFixed(1)}° high`);
      if (serves) last.push([x, y, satellite]);
    }
    for (const [x, y, satellite] of last) {
      const left = x > 25;
      draw(this.svg, "text", { x: x + (left ? -13 : 13), y: y + 4, "text-anchor": left ? "end" : "start" },
        satellite.name || String(satellite.norad));
    }
    this.before = { terminal: terminal.terminal, atUs, at };
  }

  #rings(terminal) {
    draw(this.svg, "circle", { class: "ring rim", r: this.radius });
    for (const elevation of [30, 60]) {
      draw(this.svg, "circle", { class: "ring", r: this.radius * (1 - elevation / 90) });
      draw(this.svg, "text", { class: "small", x: 3, y: this.radius * (1 - elevation / 90) - 4 }, `${elevation}°`);
    }
    for (const azimuth of [0, 90]) {
      const [x, y] = this.#at(azimuth, 0);
      draw(this.svg, "line", { class: "ring", x1: x, y1: y, x2: -x, y2: -y });
    }
    draw(this.svg, "circle", { class: "ring least", r: this.radius * (1 - terminal.minimum_elevation_deg / 90) });
    [["N", 0], ["E", 90], ["S", 180], ["W", 270]].forEach(([name, azimuth]) => {
      const [x, y] = this.#at(azimuth, -7.5);
      draw(this.svg, "text", { x, y: y + 5, "text-anchor": "middle" }, name);
    });
    if (terminal.field_of_view_deg < 90) draw(this.svg, "path", { class: "field", d: this.#field(terminal) });
  }

  /** The rim of the dish's field of view: a cone about its boresight, cut at the horizon. */
  #field({ boresight_tilt_deg: tilt, boresight_azimuth_deg: toward, field_of_view_deg: half }) {
    const [st, ct, sh, ch] = [Math.sin(tilt * RAD), Math.cos(tilt * RAD), Math.sin(half * RAD), Math.cos(half * RAD)];
    const points = [];
    for (let turn = 0; turn <= 360; turn += 3) {
      // Along the tilt, across it, and up.
      const along = st * ch + ct * sh * Math.cos(turn * RAD);
      const across = sh * Math.sin(turn * RAD);
      const up = ct * ch - st * sh * Math.cos(turn * RAD);
      const elevation = Math.max(0, Math.asin(Math.min(1, up)) / RAD);
      const [x, y] = this.#at(toward + Math.atan2(across, along) / RAD, elevation);
      points.push(`${x.toFixed(1)} ${y.toFixed(1)}`);
    }
    return `M${points.join("L")}Z`;
  }
}
