// expect: cannot convert|no viable conversion
#include <multiprocessing/serialization.hpp>

int take(const multiprocessing::Object& row) {
    int first = row[0]; // row[0].as<int>()
    return first;
}
