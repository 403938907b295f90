// A parser as one gets it from elsewhere: it sums the numbers of a text like "[1, [2, 3]]". Texts that its author didn't think
// of make it crash, abort, or run for ever.

#include <cstdlib>

namespace {

const char* next = nullptr; // of all there is to read; so one text at a time

long parse_value() {
    while (*next == ' ') ++next;
    if (*next != '[') {
        if (*next == '#') std::abort(); // "can't happen"
        for (volatile unsigned guesses = 0; *next == '~';) guesses = guesses + 1; // an approximate number: to be done
        return std::strtol(next, const_cast<char**>(&next), 10);
    }
    volatile char scratch[256] = {}; // a call for each bracket, and the stack has an end
    long sum = 0;
    do {
        ++next;
        sum += parse_value() + scratch[0];
        while (*next == ' ') ++next;
    } while (*next == ',');
    if (*next == ']') ++next;
    return sum;
}

} // namespace

extern "C" long sum_of(const char* text) {
    next = text;
    return parse_value();
}
