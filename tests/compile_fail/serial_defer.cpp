// expect: cereal::defer isn't supported
#include <cereal/cereal.hpp>

#include <multiprocessing/serialization.hpp>

class graph {
public:
    template <typename Archive>
    void serialize(Archive& ar) {
        ar(cereal::defer(edges));
    }

private:
    std::vector<int> edges;
};

void send(const graph& it) { (void)multiprocessing::serial::pack(it); }
