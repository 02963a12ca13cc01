// Files mapped as tensors.
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>

#include "abi.h"

namespace {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path) : path_(path) {
    int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
      fail("cannot be opened");
    }
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
      int reason = errno;
      close(descriptor);
      errno = reason;
      fail("cannot be examined");
    }
    bytes_ = status.st_size;
    if (bytes_ > 0) {
      data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
    }
    int reason = errno;
    close(descriptor);
    if (data_ == MAP_FAILED) {
      errno = reason;
      fail("cannot be mapped");
    }
  }

  ~MappedFile() {
    if (data_ != nullptr) {
      munmap(data_, bytes_);
    }
  }

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  char* data() const { return static_cast<char*>(data_); }
  int64_t bytes() const { return bytes_; }
  const std::string& path() const { return path_; }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw panatune::io_error(path_ + ": " + what + " (" + std::strerror(errno) + ")");
  }

  std::string path_;
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace

struct pt_mapping_handle {
  std::shared_ptr<MappedFile> file;
};

namespace {

void check_range(const MappedFile& file, int64_t offset, int64_t bytes) {
  TORCH_CHECK_VALUE(offset >= 0 && bytes >= 0 && offset <= file.bytes() && bytes <= file.bytes() - offset, file.path(),
                    ": bytes ", offset, " to ", offset + bytes, " lie outside of the file's ", file.bytes());
}

}  // namespace

using namespace panatune;

int32_t pt_mapping_open(const char* path, pt_mapping* mapping, int64_t* bytes, pt_error* error) {
  return protect(error, [&] {
    auto file = std::make_shared<MappedFile>(path);
    *bytes = file->bytes();
    *mapping = new pt_mapping_handle{std::move(file)};
  });
}

int32_t pt_mapping_tensor(pt_mapping mapping, int64_t offset, const int64_t* sizes, int32_t dims, int32_t dtype,
                          pt_tensor* result, pt_error* error) {
  return protect(error, [&] {
    auto file = mapping->file;
    auto type = static_cast<at::ScalarType>(dtype);
    auto item = static_cast<int64_t>(c10::elementSize(type));
    int64_t bytes = item;
    for (int32_t i = 0; i < dims; i++) {
      TORCH_CHECK_VALUE(sizes[i] >= 0 && !__builtin_mul_overflow(bytes, sizes[i], &bytes), file->path(),
                        ": impossible shape ", at::IntArrayRef(sizes, dims));
    }
    check_range(*file, offset, bytes);
    auto shape = at::IntArrayRef(sizes, dims);
    char* data = file->data() + offset;
    if (reinterpret_cast<uintptr_t>(data) % item == 0) {
      *result = give(at::from_blob(
          data, shape, [file](void*) {}, at::TensorOptions().dtype(type)));
    } else {
      auto copy = at::empty(shape, at::TensorOptions().dtype(type));
      std::memcpy(copy.mutable_data_ptr(), data, bytes);
      *result = give(std::move(copy));
    }
  });
}

int32_t pt_mapping_release(pt_mapping mapping, int64_t offset, int64_t bytes, pt_error* error) {
  return protect(error, [&] {
    const auto& file = *mapping->file;
    check_range(file, offset, bytes);
    int64_t page = sysconf(_SC_PAGESIZE);
    int64_t begin = (offset + page - 1) / page * page;
    int64_t end = (offset + bytes) / page * page;
    if (begin < end && madvise(file.data() + begin, end - begin, MADV_DONTNEED) != 0) {
      throw io_error(file.path() + ": pages cannot be released (" + std::strerror(errno) + ")");
    }
  });
}

int32_t pt_mapping_close(pt_mapping mapping, pt_error* error) {
  return protect(error, [&] { delete mapping; });
}
