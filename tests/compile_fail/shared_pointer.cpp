// expect: a pointer can't be shared: what it points to isn't there in another process
#include <multiprocessing/sharedctypes.hpp>

multiprocessing::Value<int*> mistake;
