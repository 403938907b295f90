// expect: no matching (member )?function
#include <multiprocessing/serialization.hpp>

const char* take(const multiprocessing::Object& row) { return row.as<const char*>(); }
