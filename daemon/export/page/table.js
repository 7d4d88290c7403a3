// SPDX-License-Identifier: Apache-2.0
/* The table of functions beside the graph: sortable, follows the search, a click searches. */

const TABLE_ROWS = 300;

class FunctionTable {
	constructor(panel, names, pick) {
		this.panel = panel;
		this.body = panel.querySelector('tbody');
		this.more = panel.querySelector('#more');
		this.names = names;
		this.sort = 'self';
		this.ascending = false;
		this.rows = [];
		for (const button of panel.querySelectorAll('thead button'))
			button.addEventListener('click', () => this.sortBy(button.dataset.sort));
		this.body.addEventListener('click', e => {
			const row = e.target.closest('tr');
			if (row)
				pick(this.names[Number(row.dataset.name)].text);
		});
	}

	sortBy(column) {
		this.ascending = column === this.sort ? !this.ascending : column === 'name';
		this.sort = column;
		this.render();
	}

	/* `columns` are the five numbers per function of an event. */
	show(columns, metric, all, matches) {
		const offset = metric === 'weight' ? 1 : 0;
		this.all = all;
		this.rows = [];
		for (let i = 0; i < columns.length; i += 5) {
			const name = columns[i];
			if (matches && !matches[name])
				continue;
			this.rows.push({ name, self: columns[i + 1 + offset], total: columns[i + 3 + offset] });
		}
		this.render();
	}

	compare(a, b) {
		const byName = this.names[a.name].text < this.names[b.name].text ? -1 : 1;
		if (this.sort === 'name')
			return this.ascending ? byName : -byName;
		const other = this.sort === 'self' ? 'total' : 'self';
		const r = b[this.sort] - a[this.sort] || b[other] - a[other];
		return (this.ascending ? -r : r) || byName;
	}

	number(value) {
		const cell = document.createElement('td');
		const ratio = this.all > 0 ? value / this.all : 0;
		const bar = document.createElement('div');
		const text = document.createElement('span');
		cell.className = 'number';
		bar.className = 'bar';
		bar.style.width = 100 * Math.min(1, ratio) + '%';
		text.textContent = percent(ratio);
		cell.append(bar, text);
		return cell;
	}

	row(entry) {
		const { text, module, kind } = this.names[entry.name];
		const row = document.createElement('tr');
		const cell = document.createElement('td');
		const title = document.createElement('span');
		const dot = document.createElement('span');
		const where = document.createElement('span');
		row.dataset.name = entry.name;
		title.className = 'function';
		title.textContent = row.title = text;
		dot.className = 'dot';
		dot.style.background = 'var(--' + kind + ')';
		where.className = 'module';
		where.append(dot, module);
		cell.append(title, where);
		row.append(this.number(entry.self), this.number(entry.total), cell);
		return row;
	}

	render() {
		for (const button of this.panel.querySelectorAll('thead button')) {
			const head = button.closest('th');
			if (button.dataset.sort === this.sort)
				head.setAttribute('aria-sort', this.ascending ? 'ascending' : 'descending');
			else
				head.removeAttribute('aria-sort');
		}
		this.rows.sort((a, b) => this.compare(a, b));
		this.body.replaceChildren(...this.rows.slice(0, TABLE_ROWS).map(r => this.row(r)));
		const hidden = this.rows.length - TABLE_ROWS;
		this.more.textContent = hidden > 0 ? formatCount(hidden) + ' more; search to narrow' :
			this.rows.length === 0 ? 'No function matches.' : '';
	}
}
