'use strict';
// SPDX-License-Identifier: Apache-2.0
/*
 * The profile as the page holds it.
 *
 * The data element is an object: facts of the recording; "modules", and "names" with
 * "name_modules" and "name_kinds" beside them; "events", each with its facts and its tree. The
 * tree's nodes come in depth-first order as columns: "depth" (1 is directly below the root, which
 * is not in the columns), "name" (an index), "samples" and "weight" of the node itself. "pruned"
 * has three numbers per node that lost small children: its index, their samples, their weight.
 * "functions" has five per function: name, self samples, self weight, samples, weight - sums over
 * the whole event, before anything was pruned.
 *
 * An event may have a "metric": its name, summary, unit, the counters "over" and "under" ("": time),
 * "scale", "low_is_bad", "min_samples"; "missing" is why the event has none, or null. Then "counters"
 * has for each of the one or two: "sum" (of what was counted), "us" (in this time) and "samples" of
 * the node itself, one per node; "pruned" has the same of what was left out: of the root, then one per
 * node in "pruned" above. The value is scale * (sum / us of over) / (sum / us of under), or scale *
 * sum per second.
 *
 * In a Tree node 0 is the root, so that column entry i is node i + 1; parents come before their
 * children.
 */

class Tree {
	constructor(size) {
		this.n = 1;
		this.parent = new Int32Array(size);
		this.name = new Int32Array(size);
		this.depth = new Uint16Array(size);
		// By metric: of the node itself, and with its children.
		this.self = { samples: new Float64Array(size), weight: new Float64Array(size) };
		this.total = { samples: new Float64Array(size), weight: new Float64Array(size) };
		this.pruned = { samples: new Float64Array(size), weight: new Float64Array(size) };
		this.name[0] = -1;
	}

	add(parent, name) {
		const node = this.n++;
		this.parent[node] = parent;
		this.name[node] = name;
		this.depth[node] = this.depth[parent] + 1;
		return node;
	}

	sumUp() {
		for (const metric of ['samples', 'weight']) {
			const total = this.total[metric], self = this.self[metric];
			const pruned = this.pruned[metric];
			for (let i = this.n - 1; i >= 0; i--) {
				total[i] += self[i] + pruned[i];
				if (i > 0)
					total[this.parent[i]] += total[i];
			}
		}
	}

	/*
	 * Puts siblings in order and gives every node its place: x and x + width, in parts of the
	 * root's width.
	 */
	arrange(metric, sort, nameOf) {
		const total = this.total[metric];
		const count = new Int32Array(this.n + 1);
		for (let i = 1; i < this.n; i++)
			count[this.parent[i] + 1]++;
		for (let i = 0; i < this.n; i++)
			count[i + 1] += count[i];
		this.firstChild = count;
		this.children = new Int32Array(this.n);
		const fill = count.slice();
		for (let i = 1; i < this.n; i++)
			this.children[fill[this.parent[i]]++] = i;
		const byName = (a, b) => {
			const x = nameOf(this.name[a]), y = nameOf(this.name[b]);
			return x < y ? -1 : x > y ? 1 : a - b;
		};
		const byValue = (a, b) => total[b] - total[a] || byName(a, b);
		const order = sort === 'name' ? byName : byValue;
		this.x = new Float64Array(this.n);
		this.width = new Float64Array(this.n);
		this.width[0] = total[0] > 0 ? 1 : 0;
		// Children come after their parents, so that each parent has its place already.
		for (let i = 0; i < this.n; i++) {
			const from = count[i], to = count[i + 1];
			if (from === to)
				continue;
			if (to - from > 1)
				this.children.subarray(from, to).sort(order);
			let x = this.x[i];
			for (let k = from; k < to; k++) {
				const child = this.children[k];
				this.x[child] = x;
				this.width[child] = total[0] > 0 ? total[child] / total[0] : 0;
				x += this.width[child];
			}
		}
	}
}

function treeFromColumns(event) {
	const n = event.depth.length;
	const tree = new Tree(n + 1);
	const open = [0];
	for (let i = 0; i < n; i++) {
		const depth = event.depth[i];
		const node = tree.add(open[depth - 1], event.name[i]);
		open[depth] = node;
		tree.self.samples[node] = event.samples[i];
		tree.self.weight[node] = event.weight[i];
	}
	for (let i = 0; i < event.pruned.length; i += 3) {
		const node = event.pruned[i] + 1;
		tree.pruned.samples[node] = event.pruned[i + 1];
		tree.pruned.weight[node] = event.pruned[i + 2];
	}
	tree.pruned.samples[0] = event.pruned_top_samples;
	tree.pruned.weight[0] = event.pruned_top_weight;
	tree.sumUp();
	addCounters(tree, event);
	return tree;
}

/* The same samples from the leaf function to its callers. What was pruned has no leaf: it is left out, as self of the root. */
function invertTree(tree) {
	let size = 1;
	for (let i = 1; i < tree.n; i++)
		if (tree.self.samples[i] > 0)
			size += tree.depth[i];
	const inverted = new Tree(size);
	const leaves = [];
	const known = new Map();
	const names = tree.name.reduce((a, b) => Math.max(a, b), 0) + 1;
	for (let i = 1; i < tree.n; i++) {
		const samples = tree.self.samples[i], weight = tree.self.weight[i];
		if (samples === 0)
			continue;
		let node = 0;
		for (let from = i; from !== 0; from = tree.parent[from]) {
			const key = node * names + tree.name[from];
			let child = known.get(key);
			if (child === undefined) {
				child = inverted.add(node, tree.name[from]);
				known.set(key, child);
			}
			node = child;
		}
		inverted.self.samples[node] += samples;
		inverted.self.weight[node] += weight;
		leaves.push([i, node]);
	}
	for (const metric of ['samples', 'weight'])
		inverted.pruned[metric][0] = tree.pruned[metric].reduce((a, b) => a + b, 0);
	inverted.sumUp();
	if (tree.counters)
		invertCounters(tree, inverted, leaves);
	return inverted;
}

/*
 * What a search means: text (upper and lower case alike), =text (the whole name), /regex/,
 * module:text, kind:text. Returns a function (name, module, kind) -> boolean, null for nothing to
 * search, undefined for a wrong regex.
 */
function parseQuery(query) {
	if (query === '')
		return null;
	if (query.startsWith('=') && query.length > 1)
		return name => name === query.slice(1);
	if (query.startsWith('module:')) {
		const text = query.slice(7).toLowerCase();
		return (name, module) => module.toLowerCase().includes(text);
	}
	if (query.startsWith('kind:'))
		return (name, module, kind) => kind === query.slice(5);
	const regex = /^\/(.+)\/(i?)$/s.exec(query);
	if (regex) {
		try {
			const compiled = new RegExp(regex[1], regex[2]);
			return name => compiled.test(name);
		} catch {
			return undefined;
		}
	}
	const text = query.toLowerCase();
	return name => name.toLowerCase().includes(text);
}

/* The width of the nodes whose name is in `matches` (by name), nested ones counted once. */
function matchedShare(tree, metric, matches) {
	const total = tree.total[metric];
	const inside = new Uint8Array(tree.n);
	let sum = 0;
	for (let i = 1; i < tree.n; i++) {
		inside[i] = inside[tree.parent[i]];
		if (!inside[i] && matches[tree.name[i]]) {
			inside[i] = 1;
			sum += total[i];
		}
	}
	return total[0] > 0 ? sum / total[0] : 0;
}

/* "12.3 %": three digits, never a rounded-away something. */
/* What became of the user stacks: complete, by frame pointers, ... */
function userStacks(e) {
	const all = Object.values(e.user_stacks).reduce((a, b) => a + b, 0);
	return Object.entries(e.user_stacks).map(([what, n]) => percent(n / all) + ' ' + what).join(', ') || 'none';
}

function percent(ratio) {
	const p = 100 * ratio;
	if (p === 0)
		return '0 %';
	if (p < 0.005)
		return '< 0.01 %';
	return (p < 10 ? p.toFixed(2) : p < 99.95 ? p.toFixed(1) : '100') + ' %';
}

function formatCount(n) {
	return Math.round(n).toLocaleString('en-US');
}

function formatScaled(n) {
	for (const [limit, unit] of [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e4, 'k']])
		if (n >= limit)
			return (n / (unit === 'k' ? 1e3 : limit)).toPrecision(3) + ' ' + unit;
	return formatCount(n);
}

function formatDuration(ms) {
	if (ms < 1)
		return (1000 * ms).toPrecision(3) + ' \u00b5s';
	if (ms < 1000)
		return ms.toPrecision(3) + ' ms';
	const s = ms / 1000;
	if (s < 120)
		return s.toPrecision(3) + ' s';
	if (s < 7200)
		return Math.floor(s / 60) + ' min ' + Math.round(s % 60) + ' s';
	return Math.floor(s / 3600) + ' h ' + Math.round(s % 3600 / 60) + ' min';
}

function formatWeight(event, weight) {
	return event.unit === 'ns' ? formatDuration(weight / 1e6) : formatScaled(weight);
}
