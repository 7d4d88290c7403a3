// SPDX-License-Identifier: Apache-2.0
/*
 * The canvas: draws the part of a tree that lies in the viewport, finds the node under a point.
 *
 * The viewport is an interval of the root's width. Zooming moves it; everything else follows. Only
 * what is wider than a fraction of a pixel is visited, so that the cost of a frame depends on the
 * size of the window and not on that of the tree. The canvas is as large as the visible part and
 * sticks to it; the sheet behind it has the height of the whole graph.
 */

const ROW = 20;
const NARROWEST = 0.6; // of a box, in pixels; narrower neighbours are drawn as one strip
const TEXT_FROM = 34; // narrower boxes have no text
const SHADES = 5;
const KINDS = ['kernel', 'module', 'bpf', 'guest', 'library', 'executable', 'jit', 'unknown', 'root'];
const ZOOM_MS = 180;

function hexToRgb(hex) {
	const n = parseInt(hex.trim().slice(1), 16);
	return [n >> 16, n >> 8 & 255, n & 255];
}

function mix(a, b, share) {
	return 'rgb(' + a.map((v, i) => Math.round(v + (b[i] - v) * share)).join(' ') + ')';
}

/* A small number that is the same for the same text in every page. */
function hashText(text) {
	let h = 2166136261;
	for (let i = 0; i < text.length; i++)
		h = Math.imul(h ^ text.charCodeAt(i), 16777619);
	return (h ^ h >>> 15) >>> 0;
}

class View {
	/* `names` has for every name: text, module, kind. */
	constructor(graph, sheet, canvas, names) {
		this.graph = graph;
		this.sheet = sheet;
		this.canvas = canvas;
		this.context = canvas.getContext('2d', { alpha: false });
		this.names = names;
		this.shades = names.map(n => hashText(n.text + n.module) % SHADES);
		this.tree = null;
		this.layout = 'flame';
		this.zoomed = 0;
		this.hovered = -1;
		this.selected = -1;
		this.matches = null;
		this.scale = null; // colours by a metric; null: by origin
		this.from = this.to = this.viewport = { left: 0, right: 1 };
		this.started = 0;
		this.frame = 0;
		this.rows = 1;
		this.readColours();
	}

	readColours() {
		const style = getComputedStyle(document.documentElement);
		const read = name => hexToRgb(style.getPropertyValue('--' + name));
		const back = read('back'), white = [255, 255, 255], black = [0, 0, 0];
		this.back = style.getPropertyValue('--back');
		this.outline = style.getPropertyValue('--outline');
		this.text = style.getPropertyValue('--frame-text');
		this.plainText = style.getPropertyValue('--text');
		this.softText = style.getPropertyValue('--soft');
		this.match = style.getPropertyValue('--match');
		this.matchText = style.getPropertyValue('--match-text');
		this.mono = style.getPropertyValue('--mono');
		this.fill = {};
		this.dimmed = {};
		for (const kind of KINDS) {
			const base = read(kind);
			this.fill[kind] = [];
			for (let i = 0; i < SHADES; i++) {
				const light = (i - (SHADES - 1) / 2) / SHADES;
				this.fill[kind].push(mix(base, light > 0 ? white : black, Math.abs(light) * 0.42));
			}
			this.dimmed[kind] = mix(base, back, 0.72);
		}
		this.ramp = rampColours(back);
		this.strip = mix(read('unknown'), back, 0.45);
	}

	/* The window changed its size, or the screen its resolution. Draws at once: a new size empties a canvas. */
	resize() {
		const ratio = window.devicePixelRatio || 1;
		const { clientWidth: width, clientHeight: height } = this.graph;
		if (width === this.width && height === this.height && ratio === this.ratio)
			return;
		this.width = width;
		this.height = height;
		this.ratio = ratio;
		this.canvas.width = Math.max(1, Math.round(width * ratio));
		this.canvas.height = Math.max(1, Math.round(height * ratio));
		this.canvas.style.width = width + 'px';
		this.canvas.style.height = height + 'px';
		this.measureRows();
		if (this.layout === 'flame' && this.zoomed === 0)
			this.scrollToRoot();
		this.draw(performance.now());
	}

	show(tree, layout) {
		this.tree = tree;
		this.layout = layout;
		this.zoomed = 0;
		this.hovered = this.selected = -1;
		this.from = this.to = this.viewport = { left: 0, right: 1 };
		this.measureRows();
		this.scrollToRoot();
		this.redraw();
	}

	zoom(node, animate) {
		const left = this.tree.x[node], width = this.tree.width[node] || 1;
		const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
		this.zoomed = node;
		this.from = this.viewport;
		this.to = { left, right: left + width };
		this.started = animate && !still ? performance.now() : -Infinity;
		this.measureRows();
		this.reveal(node);
		this.redraw();
	}

	/* Visits what is visible in `port`, in no particular order; each(node, x, width) in pixels. */
	visit(port, each, strip) {
		const tree = this.tree;
		const scale = this.width / (port.right - port.left);
		const open = [0];
		while (open.length > 0) {
			const node = open.pop();
			each(node, (tree.x[node] - port.left) * scale, tree.width[node] * scale);
			const end = tree.firstChild[node + 1];
			let k = this.firstRightOf(node, port.left), narrowFrom = -1;
			for (; k < end; k++) {
				const child = tree.children[k];
				const x = (tree.x[child] - port.left) * scale, width = tree.width[child] * scale;
				if (x > this.width)
					break;
				if (width >= NARROWEST) {
					if (narrowFrom >= 0)
						strip(node, narrowFrom, x);
					narrowFrom = -1;
					open.push(child);
				} else if (narrowFrom < 0) {
					narrowFrom = x;
				}
			}
			if (narrowFrom >= 0) {
				const last = tree.children[k - 1];
				strip(node, narrowFrom, (tree.x[last] + tree.width[last] - port.left) * scale);
			}
		}
	}

	/* The first child of `node` that ends right of x, as an index into children[]. */
	firstRightOf(node, x) {
		const tree = this.tree;
		let low = tree.firstChild[node], high = tree.firstChild[node + 1];
		while (low < high) {
			const middle = low + high >> 1;
			const child = tree.children[middle];
			if (tree.x[child] + tree.width[child] <= x)
				low = middle + 1;
			else
				high = middle;
		}
		return low;
	}

	measureRows() {
		if (!this.tree || !this.width)
			return;
		let deepest = 0;
		this.visit(this.to, node => {
			deepest = Math.max(deepest, this.tree.depth[node]);
		}, node => {
			deepest = Math.max(deepest, this.tree.depth[node] + 1);
		});
		this.rows = deepest + 1;
		this.sheetHeight = Math.max(this.rows * ROW, this.height);
		this.sheet.style.height = this.sheetHeight + 'px';
	}

	top(depth) {
		const y = this.layout === 'icicle' ? depth * ROW : this.sheetHeight - (depth + 1) * ROW;
		return y - this.graph.scrollTop;
	}

	scrollToRoot() {
		this.graph.scrollTop = this.layout === 'icicle' ? 0 : this.sheetHeight;
	}

	/* Scrolls as little as needed to have the row of a node, and some around it, in sight. */
	reveal(node) {
		const y = this.top(this.tree.depth[node]);
		if (y < ROW)
			this.graph.scrollTop += y - 2 * ROW;
		else if (y + ROW > this.height - ROW)
			this.graph.scrollTop += y + 3 * ROW - this.height;
	}

	redraw() {
		if (!this.frame)
			this.frame = requestAnimationFrame(now => {
				this.frame = 0;
				this.draw(now);
			});
	}

	advance(now) {
		const t = Math.min(1, Math.max(0, (now - this.started) / ZOOM_MS));
		const ease = 1 - (1 - t) ** 3;
		this.viewport = t === 1 ? this.to : {
			left: this.from.left + (this.to.left - this.from.left) * ease,
			right: this.from.right + (this.to.right - this.from.right) * ease,
		};
		if (t < 1)
			this.redraw();
	}

	draw(now) {
		if (!this.tree || !this.width)
			return;
		const context = this.context;
		this.advance(now);
		context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
		context.fillStyle = this.back;
		context.fillRect(0, 0, this.width, this.height);
		context.font = '12px ' + this.mono;
		context.textBaseline = 'middle';
		this.charWidth = context.measureText('MMMMMMMMMM').width / 10;
		this.visit(this.viewport, (node, x, width) => this.drawBox(node, x, width),
			(node, from, to) => this.drawStrip(this.tree.depth[node] + 1, from, to));
		this.drawOutline(this.hovered, 1);
		this.drawOutline(this.selected, 2);
	}

	drawStrip(depth, from, to) {
		const y = this.top(depth);
		if (y + ROW < 0 || y > this.height)
			return;
		this.context.fillStyle = this.strip;
		this.context.fillRect(Math.max(0, from), y, Math.min(this.width, to) - Math.max(0, from), ROW - 1);
	}

	colours(node) {
		const name = this.tree.name[node];
		const above = this.tree.depth[node] < this.tree.depth[this.zoomed];
		if (name >= 0 && this.matches && this.matches[name])
			return [this.match, this.matchText];
		const step = this.scale ? this.scale.step(node) : -1;
		if (step >= 0 && (this.matches || above))
			return [this.ramp[step].dimmed, this.matches ? this.softText : this.plainText];
		if (step >= 0)
			return [this.ramp[step].fill, this.ramp[step].text];
		const kind = this.scale ? 'unknown' : name < 0 ? 'root' : this.names[name].kind;
		if (this.matches || above)
			return [this.dimmed[kind], this.matches ? this.softText : this.text];
		return [this.fill[kind][name < 0 || this.scale ? 2 : this.shades[name]], this.text];
	}

	drawBox(node, x, width) {
		const y = this.top(this.tree.depth[node]);
		if (y + ROW < 0 || y > this.height)
			return;
		const left = Math.max(0, x), right = Math.min(this.width, x + width);
		const [fill, text] = this.colours(node);
		const gap = right - left > 3 ? 1 : 0;
		this.context.fillStyle = fill;
		this.context.fillRect(left, y, right - left - gap, ROW - 1);
		if (right - left < TEXT_FROM)
			return;
		this.context.fillStyle = text;
		this.context.fillText(this.fit(this.label(node), right - left - 9), left + 4, y + ROW / 2);
	}

	drawOutline(node, thickness) {
		if (node < 0)
			return;
		const scale = this.width / (this.viewport.right - this.viewport.left);
		const x = Math.max(0, (this.tree.x[node] - this.viewport.left) * scale);
		const end = Math.min(this.width,
			(this.tree.x[node] + this.tree.width[node] - this.viewport.left) * scale);
		this.context.strokeStyle = this.outline;
		this.context.lineWidth = thickness;
		this.context.strokeRect(x + thickness / 2, this.top(this.tree.depth[node]) + thickness / 2,
			Math.max(1, end - x - thickness - 1), ROW - 1 - thickness);
	}

	label(node) {
		const name = this.tree.name[node];
		return name < 0 ? 'all' : this.names[name].text;
	}

	/* The text cut to a width, with an ellipsis. The font is monospaced, but for what is not ASCII. */
	fit(text, width) {
		let n = Math.floor(width / this.charWidth);
		if (text.length <= n && /^[ -~]*$/.test(text))
			return text;
		let cut = text.length <= n ? text : text.slice(0, Math.max(0, n - 1)) + '\u2026';
		while (n > 1 && this.context.measureText(cut).width > width)
			cut = text.slice(0, --n - 1) + '\u2026';
		return n > 1 ? cut : '';
	}

	/* The node at a point of the canvas; -1: none. */
	nodeAt(px, py) {
		if (!this.tree)
			return -1;
		const y = py + this.graph.scrollTop;
		const depth = Math.floor(this.layout === 'icicle' ? y / ROW : (this.sheetHeight - y) / ROW);
		const x = this.viewport.left + px / this.width * (this.viewport.right - this.viewport.left);
		const narrowest = NARROWEST / this.width * (this.viewport.right - this.viewport.left);
		let node = 0;
		while (this.tree.depth[node] < depth) {
			const k = this.firstRightOf(node, x);
			if (k === this.tree.firstChild[node + 1])
				return -1;
			node = this.tree.children[k];
			if (this.tree.x[node] > x || this.tree.width[node] < narrowest)
				return -1;
		}
		return depth < 0 ? -1 : node;
	}

	/* The middle of a node's box on the canvas, as far as it is visible. */
	boxOf(node) {
		const scale = this.width / (this.to.right - this.to.left);
		const left = Math.max(0, (this.tree.x[node] - this.to.left) * scale);
		const right = Math.min(this.width,
			(this.tree.x[node] + this.tree.width[node] - this.to.left) * scale);
		return { x: (left + right) / 2, y: this.top(this.tree.depth[node]) + ROW / 2 };
	}
}
