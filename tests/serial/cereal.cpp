#include <multiprocessing/serial/cereal.hpp>

#include <multiprocessing/serial/archive.hpp>

#define TESTING_WITH_CEREAL 0
#include "cereal_types.hpp"
