// The door to executors.
#pragma once

#include <multiprocessing/exceptions.hpp>    // what can be caught
#include <multiprocessing/pool/executor.hpp> // ProcessPoolExecutor, Future, wait, as_completed, BrokenProcessPool
#include <multiprocessing/pool/options.hpp>  // PoolOptions, MapOptions
