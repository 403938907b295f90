// Door: values and arrays that processes share, as in Python's multiprocessing.sharedctypes.
#pragma once

#include <multiprocessing/exceptions.hpp>   // what can be caught
#include <multiprocessing/shared/array.hpp> // Array, RawArray
#include <multiprocessing/shared/value.hpp> // Value, RawValue
