// Follows the live stream and shows each slot. No framework, no build; nothing is asked of any other host.

import { LinkMap, SkyPlot } from "./map.js";

const WHY = {
  no_satellite: "No satellite above the least elevation for the whole slot",
  obstructed: "Satellites are up, but outside the dish's field of view",
  geo_arc: "Every satellite is too near the geostationary arc",
  no_gateway: "No satellite in view has a free gateway in reach",
  region_not_active: "Service is not switched on here",
  terminal_off: "The terminal is off or stowed",
  no_ephemeris: "The catalogue has no valid position for now",
  no_capacity: "The beams in view have no time left",
  not_permitted: "The office does not permit it",
};

const $ = (id) => document.getElementById(id);
const view = { slot: null, before: null, about: null, terminals: new Map(), gateways: new Map(), map: null, chosen: null };
const sky = new SkyPlot($("sky"));
let clock = { us: 0, mark: 0, speed: 1 };

const now = () => clock.us + (performance.now() - clock.mark) * 1000 * clock.speed;
const utc = (us) => new Date(us / 1000).toISOString().slice(11, 19);
const day = (us) => new Date(us / 1000).toISOString().slice(0, 10);
const milliseconds = (us) => (us / 1000).toFixed(1);
const isUp = (link) => link.why_down === null;
// Down and up, as tests of speed say it; where the scenario has no [capacity] there are none.
const rates = (link) => link.down_bps === null ? "–" : `${megabits(link.down_bps)} / ${megabits(link.up_bps)}`;
const megabits = (bps) => (bps / 1e6).toFixed(1);
const roundTrip = (link) => link.one_way_delay_up_us + link.one_way_delay_down_us;

async function get(path) {
  const response = await fetch(path);
  const body = await response.json();
  if (!response.ok) throw new Error(body.error ? body.error.rule : response.statusText);
  return body;
}

function median(values) {
  const sorted = values.toSorted ? values.toSorted((a, b) => a - b) : [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function setState(kind, text, notice) {
  $("state").className = `state ${kind}`;
  if ($("state-text").textContent !== text) $("state-text").textContent = text;
  document.body.classList.toggle("stale", kind === "stale");
  $("notice").hidden = !notice;
  if (notice && $("notice").textContent !== notice) $("notice").textContent = notice;
}

// --- one slot

function show(slot) {
  view.before = view.slot;
  view.slot = slot;
  // A slot comes when it begins, so its start is the service's time now; a late one tells nothing of the time.
  // One that is ahead of our time tells that the service's clock has leapt.
  if (slot.at_us > now() || (!slot.late && now() - slot.at_us < 2e6 * clock.speed)) clock = { ...clock, us: slot.at_us, mark: performance.now() };
  const up = slot.links.filter(isUp);
  $("as-of").textContent = `${utc(slot.at_us)} UTC`;
  $("as-of").dateTime = slot.at;
  $("connected").textContent = up.length;
  $("of").textContent = slot.links.length;
  $("rtt").textContent = up.length ? `${milliseconds(median(up.map(roundTrip)))} ms` : "–";
  $("handovers").textContent = up.filter((link) => link.handover).length;
  showTable(slot);
  announce(slot);
  showPictures(slot);
  setState("live", slot.late ? "Live, this slot came late" : "Live");
  tick();
}

function announce(slot) {
  if (!view.before) return;
  const was = new Map(view.before.links.map((link) => [link.terminal, link]));
  const changes = slot.links.flatMap((link) => {
    const before = was.get(link.terminal);
    if (!before || isUp(before) === isUp(link)) return [];
    return [isUp(link) ? `${link.terminal} has a link again.` : `${link.terminal} lost its link: ${WHY[link.why_down]}.`];
  });
  if (changes.length) $("spoken").textContent = changes.slice(0, 5).join(" ");
}

const COLUMNS = ["Satellite", "Gateway", "PoP", "Round trip", "Up", "Down", "Mbit/s", "Elevation", "In view", "State"];

const rows = new Map();

function rowFor(link) {
  const known = rows.get(link.terminal);
  if (known) return known;
  const row = document.createElement("tr");
  rows.set(link.terminal, row);
  const name = document.createElement("th");
  name.scope = "row";
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = link.terminal;
  button.title = "Show the sky over this terminal";
  button.addEventListener("click", () => choose(link.terminal));
  name.append(button);
  row.append(name);
  COLUMNS.forEach((label, i) => {
    const cell = document.createElement("td");
    cell.dataset.label = label;
    if (i >= 3 && i <= 8) cell.className = "number";
    if (label === "State") cell.className = "state-cell";
    row.append(cell);
  });
  $("links").tBodies[0].append(row);
  return row;
}

function showTable(slot) {
  const was = new Map((view.before?.links ?? []).map((link) => [link.terminal, link]));
  for (const link of slot.links) {
    const row = rowFor(link);
    const up = isUp(link);
    const gateway = view.gateways.get(link.gateway);
    const pop = view.pops?.get(link.pop);
    const texts = up
      ? [String(link.satellite), (gateway?.name ?? link.gateway).split(",")[0], (pop?.name ?? link.pop).split(",")[0], `${milliseconds(roundTrip(link))} ms`,
        `${milliseconds(link.one_way_delay_up_us)} ms`, `${milliseconds(link.one_way_delay_down_us)} ms`,
        rates(link), `${link.elevation_deg.toFixed(1)}°`]
      : ["–", "–", "–", "–", "–", "–", "–", "–"];
    texts.push(`${link.satellites_usable} of ${link.satellites_in_view}`);
    const cells = row.querySelectorAll("td");
    texts.forEach((text, i) => { if (cells[i].textContent !== text) cells[i].textContent = text; });
    cells[9].replaceChildren(...badges(link, was.get(link.terminal)));
    row.classList.toggle("without", !up);
    row.classList.toggle("changed", link.handover || (was.has(link.terminal) && isUp(was.get(link.terminal)) !== up));
    row.classList.toggle("chosen", link.terminal === view.chosen);
  }
}

function badges(link, before) {
  const make = (kind, text) => {
    const badge = document.createElement("span");
    badge.className = `badge ${kind}`;
    badge.textContent = text;
    return badge;
  };
  if (!isUp(link)) {
    const reasons = view.slot.reasons?.[link.terminal] ?? [];
    const said = reasons.map((why) => `${why.code}: ${why.would_change} (${why.authority})`);
    return [make("down", [WHY[link.why_down] ?? link.why_down, ...said].join(". "))];
  }
  if (!link.handover) return [make("up", "Connected")];
  const from = before?.satellite ? ` from ${before.satellite}` : "";
  return [make("handover", `Handover${from}`)];
}

// --- pictures

async function showPictures(slot) {
  const at = slot.at_us;
  try {
    const [all, seen] = await Promise.all([
      get(`/api/v1/satellites?in_view=true&at=${at}`),
      get(`/api/v1/satellites?terminal=${encodeURIComponent(view.chosen)}&at=${at}`),
    ]);
    if (view.slot.at_us !== at || seen.terminal !== view.chosen) return;
    const satellites = new Map(all.satellites.map((satellite) => [satellite.norad, satellite]));
    view.map?.update({ links: slot.links, terminals: view.sites, gateways: view.gateways, satellites, chosen: view.chosen });
    showSky(slot, seen.satellites);
  } catch {
    // Positions are kept for the newest slots only; the next slot draws anew.
  }
}

function showSky(slot, seen) {
  const link = slot.links.find((one) => one.terminal === view.chosen);
  const terminal = view.terminals.get(view.chosen);
  sky.update({ terminal, seen, link, atUs: slot.at_us, slotUs: slot.slot_length_s * 1e6 });
  const usable = seen.filter((satellite) => satellite.usable).length;
  const state = isUp(link) ? `${seen.find((s) => s.norad === link.satellite)?.name || link.satellite} serves it.` : `${WHY[link.why_down]}.`;
  $("sky-text").textContent = `${seen.length} satellites above ${terminal.minimum_elevation_deg}° at slot start, ${usable} usable for the whole slot. ${state}`;
}

function choose(terminal) {
  view.chosen = terminal;
  $("whose").value = terminal;
  if (view.slot) {
    showTable(view.slot);
    showPictures(view.slot);
  }
}

// --- time

function tick() {
  if (!view.slot) return;
  const length = view.slot.slot_length_s * 1e6;
  const left = view.slot.at_us + length - now();
  const due = left > 0 ? `next slot in ${Math.ceil(left / 1e6)} s` : "the next slot is due";
  const stale = document.body.classList.contains("stale");
  $("next").textContent = `${day(view.slot.at_us)} · ${stale ? "no newer slot has come" : due}`;
  $("bar").style.transform = `scaleX(${Math.max(0, Math.min(1, 1 - left / length))})`;
  if (left < -1.5 * length && $("state").classList.contains("live")) tellWhy();
}

async function tellWhy() {
  const shown = view.slot ? ` What is shown is of ${utc(view.slot.at_us)} UTC.` : "";
  try {
    const response = await fetch("/readyz");
    if (response.ok) return;
    const body = await response.json();
    setState("stale", "No new slots", `The service is up, but ${body.error.rule}.${shown}`);
  } catch {
    setState("stale", "Connection lost", `The service does not answer; this page tries again by itself.${shown}`);
  }
}

// --- beginning

async function begin() {
  try {
    const [about, terminals, gateways] = await Promise.all([
      get("/api/v1/about"), get("/api/v1/terminals"), get("/api/v1/gateways"),
    ]);
    clock = { us: about.now_us, mark: performance.now(), speed: about.speed };
    view.about = about;
    view.terminals = new Map(terminals.terminals.map((one) => [one.terminal, one]));
    view.sites = new Map(terminals.terminals.map((one) => [
      one.terminal, { latitude_deg: one.cell_latitude_deg, longitude_deg: one.cell_longitude_deg },
    ]));
    view.gateways = new Map(gateways.gateways.map((one) => [one.gateway, one]));
    view.pops = new Map(gateways.pops.map((one) => [one.pop, one]));
  } catch (error) {
    setState("waiting", "Starting", "");
    $("next").textContent = error.message;
    setTimeout(begin, 500);
    return;
  }
  $("scenario").textContent = view.about.scenario;
  const shift = view.about.time_shift_s;
  const moved = shift ? `, its epochs shifted by ${(shift / 86400).toFixed(2)} days` : "";
  const pace = view.about.clock === "simulated" ? ` Simulated clock, ${view.about.speed} times as fast.` : "";
  $("provenance").textContent = `${view.about.satellites.toLocaleString("en")} satellites${moved}; ${view.about.gateways} gateways; ` +
    `${view.about.not_modelled.length ? `policy “${view.about.policy}”` : "satellites by the beam schedule"}, ${view.about.lasers ? "with lasers" : "bent-pipe"}.${pace} ${view.about.warnings.join(" ")}`;
  $("rates-note").textContent = view.about.not_modelled.length
    ? "Data rates and loss are not modelled: the scenario has no [capacity]."
    : "Mbit/s are what arrives at the terminal and from it, as means over the slot.";
  $("whose").replaceChildren(...[...view.terminals.keys()].map((name) => new Option(name, name)));
  const asked = new URLSearchParams(location.search).get("terminal");
  view.chosen = view.terminals.has(asked) ? asked : view.terminals.keys().next().value;
  choose(view.chosen);
  $("whose").addEventListener("change", () => choose($("whose").value));
  follow();
  setInterval(tick, 250);
  beginMap();
}

async function beginMap() {
  let box = null;
  while (box === null) {
    try {
      box = await get("/api/v1/map");
    } catch {
      // It is drawn after the first slot.
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  const drawAnew = () => {
    const width = Math.max(420, Math.min(1000, $("map").clientWidth));
    if (view.map?.width === width) return;
    view.map = new LinkMap($("map"), box, width);
    if (view.slot) showPictures(view.slot);
  };
  new ResizeObserver(drawAnew).observe($("map"));
}

function follow() {
  const stream = new EventSource("/api/v1/live");
  stream.addEventListener("slot", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    tellWhy();
    // After a refusal the browser does not try again by itself.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  });
  stream.addEventListener("open", () => {
    if (view.slot) setState("live", "Live");
  });
}

begin();
