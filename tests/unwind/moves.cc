// SPDX-License-Identifier: Apache-2.0
// Is now here, now there in the C++ standard library, exceptions included.
#include <algorithm>
#include <cstdio>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

static size_t turn(const std::regex &pattern)
{
	std::map<std::string, size_t> known;
	std::vector<std::string> words;

	for (int i = 0; i < 300; i++) {
		std::ostringstream s;

		s << i * 7919 % 1009 << "x";
		words.push_back(s.str());
		known[s.str()]++;
	}
	std::sort(words.begin(), words.end());
	for (const auto &word : words)
		known["matches"] += std::regex_match(word, pattern);
	try {
		throw known["matches"];
	} catch (size_t n) {
		return n;
	}
}

int main()
{
	std::regex pattern("[0-9]+x");
	size_t sum = 0;

	puts("ready");
	fflush(stdout);
	for (;;)
		sum += turn(pattern);
	return sum == 0;
}
