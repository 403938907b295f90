#include <multiprocessing/serial/archive.hpp>

#include <cereal/cereal.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>

#define TESTING_WITH_CEREAL 1
#include "cereal_types.hpp"
