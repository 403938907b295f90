// Door: everything that works on one machine.
#pragma once

#include <multiprocessing/context.hpp>
#include <multiprocessing/exceptions.hpp>
#include <multiprocessing/fwd.hpp>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>
#include <multiprocessing/serialization.hpp>
#include <multiprocessing/version.hpp>
