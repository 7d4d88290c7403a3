// SPDX-License-Identifier: Apache-2.0
// The same as places.c, in C++: templates of the standard library, virtual calls, exceptions.
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

static volatile unsigned long turns;

__attribute__((noinline)) static bool spin()
{
	puts("ready");
	fflush(stdout);
	for (;;)
		turns = turns + 1;
	return turns != 0;
}

struct node {
	virtual ~node() = default;
	virtual bool visit(int depth, const std::string &name) = 0;
};

struct leaf : node {
	bool visit(int depth, const std::string &name) override
	{
		std::vector<int> values(50 + depth);
		std::sort(values.begin(), values.end(), [&](int a, int b) {
			return spin() ? a < b : name.size() > 3;
		});
		return values[0] != 0;
	}
};

struct branch : node {
	std::map<std::string, std::function<bool(int)>> calls;
	bool visit(int depth, const std::string &name) override
	{
		leaf l;
		node *next = depth ? static_cast<node *>(this) : &l;
		calls[name] = [next, &name](int d) {
			std::string longer = name + "x";
			return !next->visit(d - 1, longer);
		};
		return calls[name](depth);
	}
};

/* While an exception is on its way, in the destructor of what it leaves. */
struct guard {
	node *tree;
	~guard()
	{
		turns = turns + tree->visit(3, "guard");
	}
};

__attribute__((noinline)) static void fail(node *tree)
{
	guard g{ tree };
	if (turns < 1000000)
		throw std::runtime_error("on purpose");
}

int main()
{
	branch b;
	try {
		fail(&b);
	} catch (const std::exception &e) {
		puts(e.what());
	}
	return (int)turns;
}
