// The door to what travels between processes.
#pragma once

#include <multiprocessing/serial/archive.hpp>   // Serializable; serial::pack, unpack
#include <multiprocessing/serial/bind.hpp>      // bind
#include <multiprocessing/serial/callable.hpp>  // Portable; serial::pack_call, run_call
#include <multiprocessing/serial/exception.hpp> // register_exception; serial::capture, rethrow
#include <multiprocessing/serial/object.hpp>    // Object, list, dict, bytes
