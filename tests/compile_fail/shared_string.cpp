// expect: a shared value must be trivially copyable and of standard layout
#include <string>

#include <multiprocessing/sharedctypes.hpp>

void mistake() {
    multiprocessing::Value<std::string> text;
}
