// expect: can be neither moved nor copied
#include <multiprocessing/serialization.hpp>

class fixture {
public:
    fixture() = default;
    fixture(const fixture&) = delete;
    template <typename Archive>
    void serialize(Archive&) {}
};

void receive(std::span<const std::byte> bytes) { (void)multiprocessing::serial::unpack<fixture>(bytes); }
