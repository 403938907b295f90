// Floor 5, serial/types: everything that travels.
#pragma once

#include <multiprocessing/serial/types/action.hpp>      // what a Barrier calls
#include <multiprocessing/serial/types/adaptor.hpp>     // queue, stack, priority_queue
#include <multiprocessing/serial/types/aggregate.hpp>   // structs, with no code written
#include <multiprocessing/serial/types/array.hpp>       // array, C arrays
#include <multiprocessing/serial/types/associative.hpp> // maps and sets
#include <multiprocessing/serial/types/chrono.hpp>      // durations, points in time, the calendar
#include <multiprocessing/serial/types/handle.hpp>      // shared objects
#include <multiprocessing/serial/types/number.hpp>      // arithmetic types, enumerations
#include <multiprocessing/serial/types/numeric.hpp>     // complex, bitset
#include <multiprocessing/serial/types/optional.hpp>    // optional
#include <multiprocessing/serial/types/pointer.hpp>     // unique_ptr, shared_ptr
#include <multiprocessing/serial/types/refused.hpp>     // what never does
#include <multiprocessing/serial/types/sequence.hpp>    // list, deque, forward_list, valarray
#include <multiprocessing/serial/types/system.hpp>      // error_code, filesystem::path
#include <multiprocessing/serial/types/tuple.hpp>       // pair, tuple
#include <multiprocessing/serial/types/user.hpp>        // classes with cereal's functions
#include <multiprocessing/serial/types/variant.hpp>     // variant, monostate
#include <multiprocessing/serial/types/vector.hpp>      // vector, string
