// The door to what travels between processes.
#pragma once

#include <multiprocessing/serial/archive.hpp>   // Serializable; serial::pack, unpack
#include <multiprocessing/serial/exception.hpp> // register_exception; serial::capture, rethrow
