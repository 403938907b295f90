// The door to pools.
#pragma once

#include <multiprocessing/exceptions.hpp>   // what can be caught
#include <multiprocessing/pool/options.hpp> // PoolOptions, MapOptions
#include <multiprocessing/pool/pool.hpp>    // Pool
