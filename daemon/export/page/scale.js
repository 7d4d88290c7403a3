// SPDX-License-Identifier: Apache-2.0
/*
 * Colours from a metric: the value of every box, and where it lies on a scale.
 *
 * The scale runs from the values that are good to those that are bad, from dark to bright: its
 * lightness rises all the way, so that it can be read in grey and with any kind of colour blindness.
 * A box with too few samples has no value and is grey, which the scale is nowhere.
 */

/* Viridis, by S. van der Walt and N. Smith; in the public domain. */
const RAMP = ['#440154', '#482878', '#3e4989', '#31688e', '#26828e', '#1f9e89', '#35b779', '#6ece58',
	'#b5de2b', '#fde725'];
const STEPS = 64;
const LOG_FROM = 30; // a range this wide is divided by its logarithm

/* Reads the three columns of one counter; adds those left out, of the whole and of boxes. */
function readCounter(tree, event, own, left) {
	const counter = {};
	for (const column of ['sum', 'us', 'samples']) {
		const self = counter[column] = new Float64Array(tree.n);
		self.set(own[column], 1);
		const pruned = new Float64Array(tree.n);
		pruned[0] = left[column][0];
		for (let i = 0; i < event.pruned.length; i += 3)
			pruned[event.pruned[i] + 1] = left[column][i / 3 + 1];
		counter['pruned_' + column] = pruned;
	}
	return counter;
}

/* Totals with all that is called from each node, by counter and column. */
function sumUpCounters(tree) {
	tree.counterTotals = tree.counters.map(counter => {
		const totals = {};
		for (const column of ['sum', 'us', 'samples']) {
			const total = totals[column] = counter[column].slice();
			for (let i = tree.n - 1; i >= 0; i--) {
				total[i] += counter['pruned_' + column][i];
				if (i > 0)
					total[tree.parent[i]] += total[i];
			}
		}
		return totals;
	});
}

/* Gives a tree of an event with a metric its counters. */
function addCounters(tree, event) {
	const metric = event.metric;
	if (!metric || metric.missing)
		return;
	tree.counters = metric.counters.map((own, k) => readCounter(tree, event, own, metric.pruned[k]));
	sumUpCounters(tree);
}

/* Those of an inverted tree; `leaves` are pairs of a node and where its own samples went. */
function invertCounters(tree, inverted, leaves) {
	inverted.counters = tree.counters.map(from => {
		const counter = {};
		for (const column of ['sum', 'us', 'samples']) {
			const self = counter[column] = new Float64Array(inverted.n);
			for (const [node, to] of leaves)
				self[to] += from[column][node];
			const pruned = counter['pruned_' + column] = new Float64Array(inverted.n);
			pruned[0] = from['pruned_' + column].reduce((a, b) => a + b, 0);
		}
		return counter;
	});
	sumUpCounters(inverted);
}

/* The value of a node, and the samples it is made of; NaN: not known. */
function valueOf(metric, tree, node) {
	const [over, under] = tree.counterTotals;
	const samples = Math.min(over.samples[node], under ? under.samples[node] : Infinity);
	let value = NaN;
	if (samples > 0 && samples >= metric.min_samples) {
		if (!under)
			value = metric.scale * over.sum[node] / (over.us[node] / 1e6);
		else if (over.us[node] === under.us[node])
			value = metric.scale * over.sum[node] / under.sum[node];
		else
			value = metric.scale * (over.sum[node] / over.us[node]) / (under.sum[node] / under.us[node]);
	}
	return { value: Number.isFinite(value) ? value : NaN, samples };
}

function formatValue(metric, value) {
	if (Number.isNaN(value))
		return 'unknown';
	const size = Math.abs(value);
	const text = size >= 1e5 ? formatScaled(value) : size >= 100 || value === 0 ? value.toFixed(0) :
		Number(value.toPrecision(3)).toString();
	return text + (metric.unit ? ' ' + metric.unit : '');
}

class Scale {
	/* The values of `tree` on the scale of `forward`: a colour means one value in both directions. */
	constructor(metric, tree, forward) {
		this.metric = metric;
		this.values = new Float64Array(tree.n).fill(NaN);
		this.counted = new Float64Array(tree.n);
		for (let i = 0; i < tree.n; i++) {
			const { value, samples } = valueOf(metric, tree, i);
			this.values[i] = value;
			this.counted[i] = samples;
		}
		if (tree === forward)
			this.findEnds();
		else
			({ known: this.known, low: this.low, high: this.high, log: this.log } = forward.scale);
	}

	/* They leave a fiftieth of what is drawn beyond them on either side. */
	findEnds() {
		const known = [];
		let all = 0;
		for (let i = 0; i < this.values.length; i++) {
			if (Number.isNaN(this.values[i]))
				continue;
			known.push([this.values[i], this.counted[i]]);
			all += this.counted[i];
		}
		known.sort((a, b) => a[0] - b[0]);
		this.known = known.length > 0;
		this.low = this.quantile(known, all / 50);
		this.high = this.quantile(known, all * 49 / 50);
		this.log = this.low > 0 && this.high / this.low >= LOG_FROM;
	}

	quantile(known, wanted) {
		let sum = 0;
		for (const [value, samples] of known) {
			sum += samples;
			if (sum >= wanted)
				return value;
		}
		return known.length > 0 ? known[known.length - 1][0] : 0;
	}

	/* 0 for the low end, 1 for the high one. */
	place(value) {
		if (this.high <= this.low)
			return 0.5;
		const at = this.log ? Math.log(value / this.low) / Math.log(this.high / this.low) :
			(value - this.low) / (this.high - this.low);
		return Math.min(1, Math.max(0, at));
	}

	valueAt(place) {
		return this.log ? this.low * (this.high / this.low) ** place :
			this.low + (this.high - this.low) * place;
	}

	/* The step of a node on the ramp; -1: its value is not known. */
	step(node) {
		const value = this.values[node];
		if (Number.isNaN(value))
			return -1;
		const place = this.place(value);
		return Math.round((this.metric.low_is_bad ? 1 - place : place) * (STEPS - 1));
	}
}

/* The colours of all steps: fill, dimmed towards `back`, and the text that can be read on the fill. */
function rampColours(back) {
	const stops = RAMP.map(hexToRgb);
	return Array.from({ length: STEPS }, (_, i) => {
		const at = i / (STEPS - 1) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(at));
		const rgb = stops[k].map((v, c) => v + (stops[k + 1][c] - v) * (at - k));
		const light = 0.2126 * (rgb[0] / 255) ** 2.2 + 0.7152 * (rgb[1] / 255) ** 2.2 +
			0.0722 * (rgb[2] / 255) ** 2.2;
		return { fill: mix(rgb, rgb, 0), dimmed: mix(rgb, back, 0.72),
			text: light > 0.179 ? '#000000' : '#ffffff' };
	});
}
