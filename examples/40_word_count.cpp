// Counts the words of all text files in a directory tree, with a pool and without:
//
//     40_word_count [DIRECTORY]      default: the C and C++ headers under /usr/include
//
// Prints the twenty most frequent words, how much was read, and the time of both ways, whose answers must be equal.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/pool.hpp>
#include <multiprocessing/process.hpp>

namespace fs = std::filesystem;
namespace mp = multiprocessing;

struct tally {
    std::unordered_map<std::string, std::uint64_t> words;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
};

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool in_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

void count(std::string_view text, tally& into) {
    ++into.files;
    into.bytes += text.size();
    std::string word;
    for (std::size_t i = 0; i < text.size();) {
        std::size_t end = i;
        while (end < text.size() && in_word(text[end])) ++end;
        if (end > i) ++into.words[word.assign(text.substr(i, end - i))];
        i = end + 1;
    }
}

tally count_files(const std::vector<std::string>& paths) {
    tally all;
    for (const auto& path : paths)
        if (const std::string text = read(path); text.find('\0') == std::string::npos) count(text, all); // no text otherwise
    return all;
}

// What a worker sends back: the tally of some files. A list travels faster than a table, and is to be added to one anyway.
struct part {
    std::vector<std::pair<std::string, std::uint64_t>> words;
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
};

part count_part(const std::vector<std::string>& paths) {
    const tally all = count_files(paths);
    return {{all.words.begin(), all.words.end()}, all.files, all.bytes};
}

void add(tally& all, part some) {
    for (auto& [word, n] : some.words) all.words[std::move(word)] += n;
    all.files += some.files;
    all.bytes += some.bytes;
}

std::vector<std::string> files_under(const fs::path& directory, bool headers_only) {
    static const std::set<std::string> of_headers{"", ".h", ".hh", ".hpp", ".hxx", ".h++", ".ipp", ".tcc", ".inl"};
    std::vector<std::string> found;
    const auto options = fs::directory_options::skip_permission_denied;
    for (const auto& entry : fs::recursive_directory_iterator(directory, options)) {
        if (!entry.is_regular_file() || (headers_only && !of_headers.contains(entry.path().extension()))) continue;
        found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
}

// In shares of about equal size, so that no worker has much more to do than another; and of neighbours, because files of one
// directory have many words in common, which are then sent once.
std::vector<std::vector<std::string>> in_shares(const std::vector<std::string>& files, std::size_t n) {
    std::vector<std::uintmax_t> ends;
    std::uintmax_t all = 0;
    for (const auto& file : files) ends.push_back(all += fs::file_size(file) + 1);
    std::vector<std::vector<std::string>> shares(n);
    for (std::size_t i = 0; i < files.size(); ++i) shares[(ends[i] - 1) * n / all].push_back(files[i]);
    return shares;
}

template <typename F>
double seconds_for(F f) {
    const auto begin = std::chrono::steady_clock::now();
    f();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int main(int argc, char** argv) {
    const fs::path directory = argc > 1 ? argv[1] : "/usr/include";
    if (!fs::is_directory(directory)) {
        fmt::print(stderr, "{}: no such directory\nusage: 40_word_count [DIRECTORY]\n", directory.string());
        return 2;
    }
    const auto files = files_under(directory, argc <= 1);
    static_cast<void>(count_files(files)); // so that neither way has to wait for the disk

    tally alone;
    const double without = seconds_for([&] { alone = count_files(files); });

    tally together;
    std::size_t workers = 0;
    const double with = seconds_for([&] {
        mp::Pool pool;
        workers = pool.size();
        for (auto& some : pool.map(count_part, in_shares(files, 4 * workers))) add(together, std::move(some));
    });

    std::vector<std::pair<std::uint64_t, std::string>> by_count;
    for (const auto& [word, n] : together.words) by_count.emplace_back(n, word);
    std::sort(by_count.begin(), by_count.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    by_count.resize(std::min<std::size_t>(by_count.size(), 20));
    for (const auto& [n, word] : by_count) fmt::print("{:>10}  {}\n", n, word);
    fmt::print("{} files, {} bytes, {} different words\n", together.files, together.bytes, together.words.size());

    const bool equal = alone.words == together.words && alone.files == together.files && alone.bytes == together.bytes;
    fmt::print("without a pool {:.3f} s, with {} workers {:.3f} s: {:.2f} times as fast; the answers are {}\n", without,
               workers, with, without / with, equal ? "equal" : "NOT EQUAL");
    return equal ? 0 : 1;
}
