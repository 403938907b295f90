// Makes small copies of all PNG files in a directory, by a pool; a file that isn't what its name says is reported, and no more:
//
//     41_image_resizing [DIRECTORY]      default: one that it makes, draws pictures in, and takes away again
//
// The copies stand beside the pictures, as NAME_processed.png. Python: pool.map(process_image, image_paths), with PIL

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib> // mkdtemp
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <multiprocessing/pool.hpp>
#include <png.h>

namespace fs = std::filesystem;
namespace mp = multiprocessing;

struct image {
    std::size_t width = 0;
    std::size_t height = 0;
    std::vector<std::uint8_t> pixels; // red, green, blue, opacity
    std::uint8_t* at(std::size_t x, std::size_t y) { return &pixels[4 * (y * width + x)]; }
    const std::uint8_t* at(std::size_t x, std::size_t y) const { return &pixels[4 * (y * width + x)]; }
};

image make_image(std::size_t width, std::size_t height) { return {width, height, std::vector<std::uint8_t>(4 * width * height)}; }

image read_png(const std::string& path) {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    if (png_image_begin_read_from_file(&png, path.c_str()) == 0) throw std::runtime_error(png.message);
    png.format = PNG_FORMAT_RGBA;
    image picture = make_image(png.width, png.height);
    if (png_image_finish_read(&png, nullptr, picture.pixels.data(), 0, nullptr) == 0) throw std::runtime_error(png.message);
    return picture;
}

void write_png(const image& picture, const std::string& path) {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = static_cast<png_uint_32>(picture.width);
    png.height = static_cast<png_uint_32>(picture.height);
    png.format = PNG_FORMAT_RGBA;
    if (png_image_write_to_file(&png, path.c_str(), 0, picture.pixels.data(), 0, nullptr) == 0) throw std::runtime_error(png.message);
}

// Each new pixel is the mean of those that it stands for.
image resize(const image& from, std::size_t width, std::size_t height) {
    image to = make_image(width, height);
    for (std::size_t y = 0; y < height; ++y) {
        for (std::size_t x = 0; x < width; ++x) {
            const std::size_t left = x * from.width / width, right = std::max(left + 1, (x + 1) * from.width / width);
            const std::size_t top = y * from.height / height, bottom = std::max(top + 1, (y + 1) * from.height / height);
            std::size_t sum[4] = {};
            for (std::size_t v = top; v < bottom; ++v)
                for (std::size_t u = left; u < right; ++u)
                    for (std::size_t c = 0; c < 4; ++c) sum[c] += from.at(u, v)[c];
            const std::size_t n = (right - left) * (bottom - top);
            for (std::size_t c = 0; c < 4; ++c) to.at(x, y)[c] = static_cast<std::uint8_t>((sum[c] + n / 2) / n);
        }
    }
    return to;
}

std::string process_image(const fs::path& path) {
    try {
        const image picture = read_png(path);
        const image small = resize(picture, 80, std::max<std::size_t>(1, 80 * picture.height / picture.width));
        const fs::path output = path.parent_path() / (path.stem().string() + "_processed.png");
        write_png(small, output);
        return fmt::format("Processed: {} -> {}, {}x{} -> {}x{}", path.filename().string(), output.filename().string(), picture.width,
                           picture.height, small.width, small.height);
    } catch (const std::exception& error) {
        return fmt::format("Error processing {}: {}", path.filename().string(), error.what());
    }
}

void draw(int number, const fs::path& directory) {
    const auto side = static_cast<std::size_t>(100 + 20 * number);
    image picture = make_image(2 * side, side);
    for (std::size_t y = 0; y < picture.height; ++y) {
        for (std::size_t x = 0; x < picture.width; ++x) {
            const double wave = std::sin(static_cast<double>(x * y) / (50.0 * number));
            std::uint8_t* pixel = picture.at(x, y);
            pixel[0] = static_cast<std::uint8_t>(127 + 127 * wave);
            pixel[1] = static_cast<std::uint8_t>(255 * x / picture.width);
            pixel[2] = static_cast<std::uint8_t>(255 * y / picture.height);
            pixel[3] = 255;
        }
    }
    write_png(picture, directory / fmt::format("image{}.png", number));
}

int main(int argc, char** argv) {
    mp::Pool pool;

    fs::path directory;
    if (argc > 1) {
        directory = argv[1];
    } else {
        std::string name = (fs::temp_directory_path() / "41_image_resizing-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("there is no place for a directory");
        directory = name;
        pool.for_each([&](int number) { draw(number, directory); }, {1, 2, 3, 4, 5, 6, 7, 8});
        std::ofstream(directory / "image9.png") << "not a picture";
    }

    std::vector<fs::path> image_paths;
    for (const auto& entry : fs::directory_iterator(directory))
        if (entry.path().extension() == ".png" && !entry.path().stem().string().ends_with("_processed")) image_paths.push_back(entry.path());
    std::sort(image_paths.begin(), image_paths.end());

    for (const auto& result : pool.map(process_image, image_paths)) fmt::print("{}\n", result);

    if (argc <= 1) fs::remove_all(directory);
}
