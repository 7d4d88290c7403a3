// SPDX-License-Identifier: Apache-2.0
/*
 * The page: state, and what shows and changes it.
 *
 * The state is kept in the fragment of the address, so that a link or a reload shows the same. Names
 * come from the profiled machine: they reach the document as text nodes only.
 */

const KEYS = [
	['click', 'zoom into a box; a box below it zooms out again'],
	['Esc  double click', 'reset the zoom; in the search: clear it'],
	['/', 'search: text, =whole name, /regex/, module:text, kind:kernel'],
	['\u2190 \u2191 \u2192 \u2193', 'move the selection'],
	['Enter  +', 'zoom into the selected box'],
	['-', 'zoom out by one'],
	['i', 'flame (root at the bottom) or icicle (root at the top)'],
	['v', 'callees (from the root) or callers (from the leaf)'],
	['m', 'width by weight or by samples'],
	['s', 'widest first or by name'],
	['c', 'colour by origin or by the metric'],
	['t', 'table of functions'],
	['?', 'this help'],
];

const DEFAULTS = {
	event: '0', layout: 'flame', inverted: '0', metric: 'weight', sort: 'value', search: '',
	zoom: '0', table: '1', colour: 'metric',
};

/* What the address may choose; the rest is free text or a number that is checked where it is used. */
const CHOICES = {
	layout: ['flame', 'icicle'], inverted: ['0', '1'], metric: ['weight', 'samples'],
	sort: ['value', 'name'], table: ['0', '1'], colour: ['origin', 'metric'],
};

const byId = id => document.getElementById(id);

/* Makes characters visible that are not: controls, and those that turn the direction of writing. */
function printable(text) {
	return text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
		c => c < '\u0100' ? '\\x' + c.charCodeAt(0).toString(16).padStart(2, '0') :
			'\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
}

class App {
	constructor(data) {
		this.data = data;
		this.names = data.names.map((text, i) => ({
			text: printable(text),
			module: printable(data.modules[data.name_modules[i]] ?? ''),
			kind: data.name_kinds[i],
		}));
		this.defaults = { ...DEFAULTS, inverted: data.inverted ? '1' : '0' };
		this.state = { ...this.defaults };
		this.trees = new Map();
		this.view = new View(byId('graph'), byId('sheet'), byId('canvas'), this.names);
		this.table = new FunctionTable(byId('panel'), this.names, text => {
			this.change({ search: this.state.search === '=' + text ? '' : '=' + text });
		});
	}

	get event() {
		return this.data.events[Number(this.state.event)];
	}

	start() {
		this.fillHelp();
		this.fillEvents();
		this.listen();
		this.readFragment();
		this.apply(this.defaults, true);
	}

	/* --- state ---------------------------------------------------------------------------------- */

	readFragment() {
		const given = new URLSearchParams(location.hash.slice(1));
		this.state = { ...this.defaults };
		for (const key of Object.keys(this.state))
			if (given.has(key) && (CHOICES[key]?.includes(given.get(key)) ?? true))
				this.state[key] = given.get(key);
		if (!this.event)
			this.state.event = '0';
		if (!/^\d{1,9}$/.test(this.state.zoom))
			this.state.zoom = '0';
		if (this.event && this.event.weightless)
			this.state.metric = 'samples';
	}

	writeFragment() {
		const out = new URLSearchParams();
		for (const [key, value] of Object.entries(this.state))
			if (value !== this.defaults[key])
				out.set(key, value);
		const text = out.toString();
		history.replaceState(null, '', text ? '#' + text : location.pathname + location.search);
	}

	change(changes) {
		const before = this.state;
		this.state = { ...before, ...changes };
		// A node's number means something else in another tree.
		if (['event', 'inverted'].some(key => this.state[key] !== before[key]))
			this.state.zoom = '0';
		this.apply(before, false);
		this.writeFragment();
	}

	apply(before, all) {
		const changed = (...keys) => all || keys.some(key => this.state[key] !== before[key]);
		if (!this.event) {
			byId('empty').hidden = false;
			this.fillHeader();
			return;
		}
		if (changed('event'))
			this.fillHeader();
		if (changed('table'))
			this.showTable();
		if (changed('event', 'inverted', 'metric', 'sort', 'layout'))
			this.view.show(this.arrangedTree(), this.state.layout);
		if (changed('event', 'inverted', 'colour'))
			this.colour();
		if (changed('event', 'search', 'metric', 'inverted'))
			this.search();
		if (changed('zoom', 'event', 'inverted', 'metric', 'sort', 'layout'))
			this.showZoom(!all && this.state.zoom !== before.zoom);
		if (changed('event', 'search', 'metric'))
			this.table.show(this.event.functions, this.state.metric, this.all(), this.matches);
		if (changed('event', 'metric', 'inverted', 'colour'))
			this.fillLegend();
		this.pressButtons();
		this.describe(-1);
	}

	/* The tree that is shown, its boxes in their places. Kept by event and direction. */
	arrangedTree() {
		const key = this.state.event + ' ' + this.state.inverted;
		let tree = this.trees.get(this.state.event + ' 0');
		if (!tree) {
			tree = treeFromColumns(this.event);
			this.trees.set(this.state.event + ' 0', tree);
		}
		if (this.state.inverted === '1') {
			const forward = tree;
			tree = this.trees.get(key);
			if (!tree) {
				tree = invertTree(forward);
				this.trees.set(key, tree);
			}
		}
		tree.arrange(this.state.metric, this.state.sort, name => this.names[name].text);
		return tree;
	}

	colour() {
		const tree = this.view.tree, forward = this.trees.get(this.state.event + ' 0');
		this.view.scale = null;
		if (tree.counters && this.state.colour === 'metric') {
			forward.scale ??= new Scale(this.event.metric, forward, forward);
			tree.scale ??= new Scale(this.event.metric, tree, forward);
			if (forward.scale.known)
				this.view.scale = tree.scale;
		}
		this.view.redraw();
	}

	all() {
		return this.view.tree.total[this.state.metric][0];
	}

	/* --- header ----------------------------------------------------------------------------------- */

	fact(list, name, value, grade, title) {
		const group = document.createElement('div');
		const term = document.createElement('dt');
		const detail = document.createElement('dd');
		term.textContent = name;
		detail.textContent = value;
		if (grade)
			detail.className = grade;
		if (title)
			group.title = title;
		group.append(term, detail);
		list.append(group);
	}

	/* A share that should be small: its grade is said by a sign, too. */
	share(list, name, part, whole, title) {
		const ratio = whole > 0 ? part / whole : 0;
		const grade = part === 0 ? 'good' : ratio < 0.01 ? '' : ratio < 0.1 ? 'warn' : 'bad';
		const sign = { good: '\u2713 ', warn: '\u26a0 ', bad: '\u26a0 ', '': '' }[grade];
		this.fact(list, name, part === 0 ? sign + '0' : sign + percent(ratio), grade, title);
	}

	rate() {
		return this.event.rates
			.map(r => r.mode === 'frequency' ? formatCount(r.value) + ' Hz'
							 : 'every ' + formatCount(r.value))
			.join(', then ');
	}

	fillHeader() {
		const d = this.data, e = this.event, host = d.host;
		const facts = byId('facts');
		const title = d.title || [host.hostname, e && e.fired].filter(Boolean).join(' \u2014 ');
		const machine = [host.kernel && 'Linux ' + host.kernel, host.cpu_model,
			host.cpus && host.cpus + ' CPUs', host.virtualization && 'virtual: ' + host.virtualization];
		byId('title').textContent = document.title = printable(title || 'Flame graph');
		byId('subtitle').textContent = printable(machine.filter(Boolean).join(' \u00b7 '));
		facts.replaceChildren();
		if (!e)
			return;
		const samples = e.samples_total;
		this.fact(facts, 'Event', printable(e.fired) + ' @ ' + this.rate(), '',
			e.running_ratio < 0.999 ? 'counting ' + percent(e.running_ratio) + ' of the time' : '');
		this.fact(facts, 'Window', this.window(), '', this.windowTitle());
		this.fact(facts, 'Samples', formatCount(samples));
		this.share(facts, 'Lost', e.lost, e.seen, formatCount(e.lost) + ' samples taken, but not kept');
		this.share(facts, 'Not delivered', e.not_delivered, e.expected,
			formatCount(e.not_delivered) + ' of ' + formatCount(e.expected) +
			' samples the event should have given: throttling, or a busy CPU');
		this.share(facts, 'Truncated', e.truncated_kernel + e.truncated_user, samples,
			'Stacks deeper than the recorded depth: kernel ' + formatCount(e.truncated_kernel) +
			', user ' + formatCount(e.truncated_user));
		this.fact(facts, 'User stacks', this.mainUserStacks(e), '', userStacks(e));
		this.share(facts, 'Without name', e.unnamed_leaves, samples,
			'Samples whose function has no name; of all frames ' + percent(e.unnamed_frames_ratio));
		if (e.pruned_nodes > 0)
			this.fact(facts, 'Not drawn', percent(e.pruned_samples / samples), '',
				formatCount(e.pruned_nodes) + ' boxes below ' + percent(e.pruned_below_percent / 100) +
				' of all, together ' + formatCount(e.pruned_samples) + ' samples');
		this.fillWarning(e);
	}

	/* The most frequent kind; the others stand in the title. */
	mainUserStacks(e) {
		const kinds = Object.entries(e.user_stacks).sort((a, b) => b[1] - a[1]);
		const all = kinds.reduce((sum, kind) => sum + kind[1], 0);
		return kinds.length ? percent(kinds[0][1] / all) + ' ' + kinds[0][0] : 'none';
	}

	window() {
		return this.data.first_ms ? formatDuration(Math.max(1, this.data.last_ms - this.data.first_ms)) : '\u2013';
	}

	windowTitle() {
		const moment = ms => new Date(ms).toLocaleString('sv-SE', { timeZoneName: 'short' });
		return this.data.first_ms ? moment(this.data.first_ms) + ' \u2013 ' + moment(this.data.last_ms) : '';
	}

	fillWarning(e) {
		const parts = [];
		if (e.requested !== e.fired)
			parts.push(e.requested + ' was asked for, ' + e.fired + ' is what fired' +
				(e.reason ? ': ' + e.reason : ''));
		if (this.data.unreadable > 0)
			parts.push(formatCount(this.data.unreadable) + ' samples were lost to damaged files');
		if (e.metric?.missing)
			parts.push(e.metric.missing);
		byId('warning').textContent = printable(parts.join('. '));
		byId('warning').hidden = parts.length === 0;
	}

	fillEvents() {
		const choice = byId('event');
		this.data.events.forEach((e, i) => {
			const option = document.createElement('option');
			option.value = String(i);
			const remarks = [e.requested !== e.fired && 'for ' + e.requested, e.profile].filter(Boolean);
			option.textContent = printable(e.fired + (remarks.length ? ' (' + remarks.join(', ') + ')' : ''));
			choice.append(option);
			e.weightless = !e.weight.some(w => w > 0) && e.pruned_top_weight === 0;
			e.pruned_samples = e.pruned_top_samples;
			for (let k = 1; k < e.pruned.length; k += 3)
				e.pruned_samples += e.pruned[k];
			e.samples_total = e.samples.reduce((a, b) => a + b, e.pruned_samples);
		});
		byId('event-choice').hidden = this.data.events.length < 2;
		choice.addEventListener('change', () => this.change({ event: choice.value }));
	}

	fillHelp() {
		const keys = byId('keys'), about = byId('about'), d = this.data;
		for (const [names, meaning] of KEYS) {
			const row = keys.insertRow();
			const cell = row.insertCell();
			for (const name of names.split('  ')) {
				const key = document.createElement('kbd');
				key.textContent = name;
				cell.append(key);
			}
			row.insertCell().textContent = meaning;
		}
		this.fact(about, 'Window', this.windowTitle() || '\u2013');
		for (const e of d.events) {
			const left = e.pruned_nodes > 0 ? formatCount(e.pruned_nodes) + ' boxes below ' +
				percent(e.pruned_below_percent / 100) + ' left out' : 'nothing left out';
			this.fact(about, printable(e.fired), formatCount(e.depth.length) + ' boxes, ' + left +
				'; throttled ' + formatCount(e.throttled) + ' times');
			this.fact(about, 'User stacks', userStacks(e));
		}
		this.fact(about, 'Made by', printable(d.generator) + (d.command ? ': ' + printable(d.command) : ''));
		for (const note of d.notes)
			this.fact(about, new Date(note.time_ms).toLocaleString('sv-SE'), printable(note.text));
	}

	/* --- parts ------------------------------------------------------------------------------------ */

	fillLegend() {
		if (this.view.scale) {
			byId('legend').replaceChildren(...this.scaleItems());
			return;
		}
		const forward = this.trees.get(this.state.event + ' 0');
		const self = forward.self[this.state.metric];
		const sums = new Map();
		for (let i = 1; i < forward.n; i++) {
			const kind = this.names[forward.name[i]].kind;
			sums.set(kind, (sums.get(kind) ?? 0) + self[i]);
		}
		byId('legend').replaceChildren(...KINDS.filter(kind => kind !== 'root' && sums.has(kind))
			.map(kind => this.legendItem(kind, sums.get(kind) / this.all())));
	}

	/* The scale from its low to its high end, and how much has no value. */
	scaleItems() {
		const { metric } = this.event, { tree, scale, ramp } = this.view;
		const item = (className, text, title) => {
			const li = document.createElement('li');
			li.className = className;
			li.textContent = text;
			if (title)
				li.title = title;
			return li;
		};
		const bar = item('ramp', formatValue(metric, scale.valueAt(0.5)),
			scale.log ? 'by the logarithm' : 'by the value');
		const steps = metric.low_is_bad ? ramp.slice().reverse() : ramp;
		bar.style.background = 'linear-gradient(to right, ' + steps.map(s => s.fill).join(', ') + ')';
		const total = tree.total[this.state.metric], self = tree.self[this.state.metric];
		const unknown = self.reduce((sum, own, i) => sum + (scale.step(i) < 0 ? own : 0), 0);
		const dot = document.createElement('span');
		const grey = item('', 'unknown ' + percent(total[0] > 0 ? unknown / total[0] : 0),
			'boxes whose values rest on fewer than ' + metric.min_samples + ' samples');
		dot.className = 'dot';
		dot.style.background = 'var(--unknown)';
		grey.prepend(dot);
		return [
			item('name', printable(metric.name), printable(metric.summary)),
			item('', formatValue(metric, scale.low) + ' or less'), bar,
			item('', formatValue(metric, scale.high) + ' or more'), grey,
		];
	}

	legendItem(kind, ratio) {
		const item = document.createElement('li');
		const button = document.createElement('button');
		const dot = document.createElement('span');
		dot.className = 'dot';
		dot.style.background = 'var(--' + kind + ')';
		button.title = percent(ratio) + ' of all is spent in ' + kind + ' functions themselves; click to mark them';
		button.append(dot, (kind === 'bpf' ? 'BPF' : kind === 'jit' ? 'JIT' : kind) + ' ' + percent(ratio));
		button.addEventListener('click', () => {
			this.change({ search: this.state.search === 'kind:' + kind ? '' : 'kind:' + kind });
		});
		item.append(button);
		return item;
	}

	pressButtons() {
		for (const button of document.querySelectorAll('[data-set]')) {
			const [key, value] = button.dataset.set.split('=');
			button.setAttribute('aria-pressed', String(this.state[key] === value));
		}
		byId('metric-weight').textContent = this.event.unit === 'ns' ? 'Time' : 'Weight';
		byId('metric-weight').disabled = this.event.weightless;
		byId('event').value = this.state.event;
		byId('colour-choice').hidden = !this.event.metric;
		byId('colour-metric').textContent = printable(this.event.metric?.name ?? '');
		byId('colour-metric').disabled = !this.view.tree.counters;
		byId('toggle-table').setAttribute('aria-pressed', String(this.state.table === '1'));
	}

	showTable() {
		byId('panel').hidden = this.state.table !== '1';
		this.view.resize();
	}

	search() {
		const input = byId('search');
		const test = parseQuery(this.state.search);
		if (input.value !== this.state.search)
			input.value = this.state.search;
		input.classList.toggle('wrong', test === undefined);
		this.matches = test ? this.names.map(n => n.kind !== 'root' && test(n.text, n.module, n.kind)) : null;
		this.view.matches = this.matches;
		byId('matched').textContent = this.matches ? 'matched ' +
			percent(matchedShare(this.view.tree, this.state.metric, this.matches)) :
			test === undefined ? 'not a regular expression' : '';
		this.view.redraw();
	}

	showZoom(animate) {
		const tree = this.view.tree;
		const wanted = Number(this.state.zoom);
		const node = wanted < tree.n ? wanted : 0;
		const path = [];
		this.state.zoom = String(node);
		this.view.zoom(node, animate);
		for (let i = node; i !== 0; i = tree.parent[i])
			path.unshift(i);
		path.unshift(0);
		byId('crumbs').replaceChildren(...path.flatMap((i, k) => {
			const button = document.createElement('button');
			const arrow = document.createElement('span');
			button.textContent = this.view.label(i);
			button.title = this.view.label(i);
			button.addEventListener('click', () => this.change({ zoom: String(i) }));
			arrow.textContent = '\u203a';
			return k > 0 ? [arrow, button] : [button];
		}));
		byId('crumbs').scrollLeft = byId('crumbs').scrollWidth;
	}

	figures(node) {
		const tree = this.view.tree, metric = this.state.metric;
		const total = tree.total[metric][node], parent = tree.total[metric][tree.parent[node]];
		const self = tree.self[metric][node], pruned = tree.pruned[metric][node];
		const all = this.all();
		const rows = [['Samples', formatCount(tree.total.samples[node])]];
		if (!this.event.weightless)
			rows.push([this.event.unit === 'ns' ? 'Time' : this.event.fired,
				formatWeight(this.event, tree.total.weight[node])]);
		rows.push(['Of all', percent(all > 0 ? total / all : 0)]);
		if (node !== 0)
			rows.push([this.state.inverted === '1' ? 'Of what is below' : 'Of its caller',
				percent(parent > 0 ? total / parent : 0)]);
		rows.push([this.state.inverted === '1' ? 'Ends here' : 'Self', percent(all > 0 ? self / all : 0)]);
		if (tree.counters) {
			const { value, samples } = valueOf(this.event.metric, tree, node);
			rows.push([this.event.metric.name, formatValue(this.event.metric, value) + ' (' +
				formatCount(samples) + (samples === 1 ? ' sample)' : ' samples)')]);
		}
		if (pruned > 0)
			rows.push(['Left out', percent(all > 0 ? pruned / all : 0)]);
		return rows;
	}

	/* The line at the bottom: of the box under the pointer, the selected one, or the zoomed one. */
	describe(node) {
		const view = this.view;
		const shown = node >= 0 ? node : view.selected >= 0 ? view.selected : view.zoomed;
		const name = view.tree.name[shown];
		const where = name >= 0 && this.names[name].module ? ' (' + this.names[name].module + ')' : '';
		byId('status').textContent = view.label(shown) + where + ' \u2014 ' +
			this.figures(shown).map(row => printable(row.join(' '))).join(', ');
	}

	showTooltip(node, x, y) {
		const tooltip = byId('tooltip');
		if (node < 0) {
			tooltip.hidden = true;
			return;
		}
		const name = this.view.tree.name[node];
		const title = document.createElement('div');
		const where = document.createElement('div');
		const list = document.createElement('dl');
		title.className = 'function';
		title.textContent = this.view.label(node);
		where.className = 'module';
		where.textContent = name < 0 ? '' : this.names[name].kind === 'root' ? this.data.root :
			this.names[name].module + ' \u00b7 ' + this.names[name].kind;
		for (const [term, value] of this.figures(node)) {
			const dt = document.createElement('dt'), dd = document.createElement('dd');
			dt.textContent = printable(term);
			dd.textContent = value;
			list.append(dt, dd);
		}
		tooltip.replaceChildren(title, where, list);
		tooltip.hidden = false;
		const box = tooltip.getBoundingClientRect();
		const right = x + 16 + box.width > innerWidth, below = y + 18 + box.height > innerHeight;
		tooltip.style.left = Math.max(4, right ? x - box.width - 10 : x + 16) + 'px';
		tooltip.style.top = Math.max(4, below ? y - box.height - 10 : y + 18) + 'px';
	}

	/* --- input ------------------------------------------------------------------------------------ */

	listen() {
		const graph = byId('graph'), search = byId('search');
		const at = e => {
			const box = byId('canvas').getBoundingClientRect();
			return this.view.nodeAt(e.clientX - box.left, e.clientY - box.top);
		};
		const hover = (node, e) => {
			this.showTooltip(node, e.clientX, e.clientY);
			if (node === this.view.hovered)
				return;
			this.view.hovered = node;
			byId('canvas').style.cursor = node < 0 ? 'default' : 'pointer';
			this.describe(node);
			this.view.redraw();
		};
		graph.addEventListener('mousemove', e => hover(at(e), e));
		graph.addEventListener('mouseleave', e => hover(-1, e));
		graph.addEventListener('click', e => {
			const node = at(e);
			if (node >= 0 && e.detail < 2) {
				this.view.selected = -1;
				this.change({ zoom: String(node) });
				this.showTooltip(-1);
			}
		});
		graph.addEventListener('dblclick', () => this.change({ zoom: '0' }));
		graph.addEventListener('scroll', () => this.view.redraw());
		search.addEventListener('input', () => this.change({ search: search.value }));
		for (const button of document.querySelectorAll('[data-set]'))
			button.addEventListener('click', () => {
				const [key, value] = button.dataset.set.split('=');
				this.change({ [key]: value });
			});
		byId('toggle-table').addEventListener('click', () => this.toggle('table', '1', '0'));
		byId('open-help').addEventListener('click', () => byId('help').showModal());
		addEventListener('keydown', e => this.key(e));
		addEventListener('hashchange', () => {
			this.readFragment();
			this.apply(this.defaults, true);
		});
		new ResizeObserver(() => this.view.resize()).observe(graph);
		matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
			this.view.readColours();
			this.view.redraw();
		});
	}

	toggle(key, one, other) {
		this.change({ [key]: this.state[key] === one ? other : one });
	}

	key(e) {
		if (e.ctrlKey || e.altKey || e.metaKey || byId('help').open || !this.event)
			return;
		if (e.target === byId('search')) {
			if (e.key === 'Escape') {
				this.change({ search: '' });
				byId('graph').focus();
			} else if (e.key === 'Enter') {
				byId('graph').focus();
			}
			return;
		}
		if (e.target.closest('select'))
			return;
		if (e.target.closest('button') && (e.key === 'Enter' || e.key === ' '))
			return;
		if (this.command(e.key))
			e.preventDefault();
	}

	/* What a key means; false: nothing. */
	command(key) {
		const view = this.view, tree = view.tree;
		const up = this.state.layout === 'flame' ? 1 : -1;
		switch (key) {
		case '/':
			byId('search').focus();
			byId('search').select();
			return true;
		case 'Escape':
			view.selected = -1;
			this.change({ zoom: '0' });
			return true;
		case 'Enter':
		case '+':
			if (view.selected >= 0)
				this.change({ zoom: String(view.selected) });
			return true;
		case '-':
			this.change({ zoom: String(tree.parent[view.zoomed]) });
			return true;
		case 'i':
			this.toggle('layout', 'flame', 'icicle');
			return true;
		case 'v':
			this.toggle('inverted', '0', '1');
			return true;
		case 'm':
			if (!this.event.weightless)
				this.toggle('metric', 'weight', 'samples');
			return true;
		case 's':
			this.toggle('sort', 'value', 'name');
			return true;
		case 'c':
			if (tree.counters)
				this.toggle('colour', 'metric', 'origin');
			return true;
		case 't':
			this.toggle('table', '1', '0');
			return true;
		case '?':
			byId('help').showModal();
			return true;
		case 'ArrowUp':
			return this.select(this.vertical(up));
		case 'ArrowDown':
			return this.select(this.vertical(-up));
		case 'ArrowLeft':
			return this.select(this.sibling(-1));
		case 'ArrowRight':
			return this.select(this.sibling(1));
		}
		return false;
	}

	/* The first child (step 1) or the parent (-1) of the selection. */
	vertical(step) {
		const view = this.view, tree = view.tree;
		if (view.selected < 0)
			return view.zoomed;
		if (step < 0)
			return tree.parent[view.selected];
		const first = tree.firstChild[view.selected];
		return first < tree.firstChild[view.selected + 1] ? tree.children[first] : view.selected;
	}

	sibling(step) {
		const view = this.view, tree = view.tree;
		if (view.selected <= 0)
			return view.zoomed;
		const parent = tree.parent[view.selected];
		const from = tree.firstChild[parent], to = tree.firstChild[parent + 1];
		const k = tree.children.indexOf(view.selected, from) + step;
		return k >= from && k < to ? tree.children[k] : view.selected;
	}

	select(node) {
		this.view.selected = node;
		this.view.reveal(node);
		this.describe(-1);
		this.view.redraw();
		return true;
	}
}

const app = new App(JSON.parse(byId('data').textContent));
app.start();
