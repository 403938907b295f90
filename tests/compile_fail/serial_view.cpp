// expect: a view .*doesn't travel
#include <multiprocessing/serialization.hpp>

void send(std::string_view text) { (void)multiprocessing::serial::pack(text); }
