// expect: a shared value must be trivially copyable and of standard layout
#include <multiprocessing/sharedctypes.hpp>

struct shape {
    virtual double area() const { return 0; }
};

multiprocessing::Array<shape> mistake(10);
