/** A picture that is moved by dragging and magnified by the wheel, at the place under the pointer. */

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly k: number;
}

/** Movements in pixels up to which a press is a click. */
const still = 4;

export class PanZoom {
  at: Place = { x: 0, y: 0, k: 1 };
  #pending = false;

  /**
   * @param frame What hears the pointer.
   * @param size Of the whole picture, in its own units.
   * @param show Called once per frame in which the place changed.
   */
  constructor(
    readonly frame: HTMLElement | SVGSVGElement,
    readonly size: () => { readonly width: number; readonly height: number },
    readonly show: (at: Place) => void,
    readonly click: (event: PointerEvent) => void,
  ) {
    frame.addEventListener("wheel", (event) => this.#wheel(event as WheelEvent), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.#press(event as PointerEvent));
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    const { left, top } = this.frame.getBoundingClientRect();
    const step = event.deltaMode === 1 ? 20 * event.deltaY : event.deltaY;
    this.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0018)), event.clientX - left, event.clientY - top);
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const from = this.at;
    let moved = false;
    const move = (e: PointerEvent) => {
      const [dx, dy] = [e.clientX - event.clientX, e.clientY - event.clientY];
      if (!moved && Math.hypot(dx, dy) <= still) return;
      moved = true;
      this.go({ ...from, x: from.x + dx, y: from.y + dy });
    };
    const up = (e: PointerEvent) => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", up);
      removeEventListener("pointercancel", up);
      if (!moved && e.type === "pointerup") this.click(event);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", up);
    addEventListener("pointercancel", up);
  }

  /** Magnifies by a factor about a point of the frame. */
  zoom(factor: number, px = this.frame.clientWidth / 2, py = this.frame.clientHeight / 2): void {
    const { x, y, k } = this.at;
    const next = Math.min(4, Math.max(0.02, k * factor));
    this.go({ k: next, x: px - (px - x) * next / k, y: py - (py - y) * next / k });
  }

  /** Shows all of the picture. */
  fit(): void {
    const { width, height } = this.size();
    const [w, h] = [this.frame.clientWidth, this.frame.clientHeight];
    if (w === 0 || h === 0 || width === 0 || height === 0) return;
    const k = Math.min(1.5, (w - 24) / width, (h - 24) / height);
    this.go({ k, x: (w - k * width) / 2, y: (h - k * height) / 2 });
  }

  /** Brings a rectangle into view, magnified enough to be read; stays where it is if it can be seen already. */
  reveal(x: number, y: number, w: number, h: number): void {
    const [fw, fh] = [this.frame.clientWidth, this.frame.clientHeight];
    const { k } = this.at;
    const [left, top] = [this.at.x + k * x, this.at.y + k * y];
    const isSeen = left >= 0 && top >= 0 && left + k * w <= fw && top + k * h <= fh;
    if (isSeen && k >= 0.55) return;
    const next = Math.min(1.2, Math.max(k, Math.min(0.9, fw / (3 * w), fh / (3 * h))));
    this.go({ k: next, x: fw / 2 - next * (x + w / 2), y: fh / 2 - next * (y + h / 2) });
  }

  go(at: Place): void {
    this.at = at;
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      this.show(this.at);
    });
  }
}
