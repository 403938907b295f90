// expect: an abstract class doesn't travel
#include <multiprocessing/serialization.hpp>

struct shape {
    virtual ~shape() = default;
    virtual double area() const = 0;
};

void send(const std::vector<std::unique_ptr<shape>>& it) { (void)multiprocessing::serial::pack(it); }
