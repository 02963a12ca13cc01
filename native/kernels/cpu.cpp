#include "cpu.h"

#include <ATen/Version.h>
#include <ATen/cpu/Utils.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <sstream>
#include <vector>

namespace panatune {
namespace {

struct Setting {
  const char* key;
  const char* variable;
  std::vector<std::string> values;  // values[0] is "auto"
};

enum Key { kIsa, kGemm, kKernels, kKeys };

const std::array<Setting, kKeys>& settings() {
  static const std::array<Setting, kKeys> all = {{
      {"isa", "PANATUNE_ISA", {"auto", "plain", "avx2", "avx512"}},
      {"gemm", "PANATUNE_GEMM", {"auto", "native", "fp32"}},
      {"kernels", "PANATUNE_KERNELS", {"auto", "fused", "composite"}},
  }};
  return all;
}

int parse(const Setting& setting, const std::string& value, const std::string& source) {
  const auto& values = setting.values;
  const auto found = std::find(values.begin(), values.end(), value);
  std::string known;
  for (const std::string& name : values) {
    known += (known.empty() ? "" : ", ") + name;
  }
  TORCH_CHECK(found != values.end(), source, " is '", value, "', but must be one of ", known);
  return static_cast<int>(found - values.begin());
}

bool has(const char* feature) {
  static const auto features = at::cpu::get_cpu_capabilities();
  const auto found = features.find(feature);
  return found != features.end() && found->second.isBool() && found->second.toBool();
}

Isa widest_isa() {
#if defined(__x86_64__)
  // Also obeys ATEN_CPU_CAPABILITY, so that one variable narrows libtorch's loops and ours.
  static const std::string capability = at::get_cpu_capability();
  const bool avx2 = has("avx2") && has("fma3");
  const bool avx512 = avx2 && has("avx512_f") && has("avx512_bw") && has("avx512_vl") && has("avx512_dq");
  if (capability == "AVX512" && avx512) {
    return Isa::kAvx512;
  }
  if ((capability == "AVX512" || capability == "AVX2") && avx2) {
    return Isa::kAvx2;
  }
#endif
  return Isa::kPlain;
}

void check_runnable(const std::array<int, kKeys>& chosen) {
  const int wanted = chosen[kIsa];
  TORCH_CHECK(wanted == 0 || wanted - 1 <= static_cast<int>(widest_isa()), "isa=", settings()[kIsa].values[wanted],
              " was asked for, but this CPU (or ATEN_CPU_CAPABILITY) does not have it; the widest is isa=",
              settings()[kIsa].values[static_cast<int>(widest_isa()) + 1]);
}

std::array<int, kKeys> from_environment() {
  std::array<int, kKeys> chosen{};
  for (int key = 0; key < kKeys; ++key) {
    const Setting& setting = settings()[key];
    const char* value = std::getenv(setting.variable);
    if (value != nullptr && *value != '\0') {
      chosen[key] = parse(setting, value, setting.variable);
    }
  }
  check_runnable(chosen);
  return chosen;
}

std::array<std::atomic<int>, kKeys>& choices() {
  static std::array<std::atomic<int>, kKeys> current;
  static const bool initialised = [] {
    const auto chosen = from_environment();
    for (int key = 0; key < kKeys; ++key) {
      current[key] = chosen[key];
    }
    return true;
  }();
  (void)initialised;
  return current;
}

// oneDNN's own limit: below AVX512 its bf16 and fp16 matmul is reference code.
bool onednn_limited() {
  const char* limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (limit == nullptr || *limit == '\0') {
    return false;
  }
  std::string name(limit);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name != "ALL" && name != "DEFAULT" && name.rfind("AVX512", 0) != 0 && name.rfind("AVX10", 0) != 0;
}

// The conditions under which libtorch hands a matmul of the type to oneDNN's fast code.
bool onednn_gemm(c10::ScalarType dtype) {
  static const bool limited = onednn_limited();
  if (limited) {
    return false;
  }
  if (dtype == c10::ScalarType::BFloat16) {
    return (has("avx512_bw") && has("avx512_vl") && has("avx512_dq")) || has("arm_bf16");
  }
  return has("avx512_fp16") || has("amx_fp16") || has("arm_fp16");
}

const char* gemm_name(c10::ScalarType dtype) { return fast_gemm(dtype) ? "native" : "fp32"; }

}  // namespace

Isa isa() {
  const int chosen = choices()[kIsa];
  static const Isa widest = widest_isa();
  return chosen == 0 ? widest : static_cast<Isa>(chosen - 1);
}

bool fast_gemm(c10::ScalarType dtype) {
  if (dtype != c10::ScalarType::BFloat16 && dtype != c10::ScalarType::Half) {
    return true;
  }
  const int chosen = choices()[kGemm];
  return chosen == 0 ? onednn_gemm(dtype) : settings()[kGemm].values[chosen] == "native";
}

bool fused_kernels(c10::ScalarType dtype) {
  const bool known =
      dtype == c10::ScalarType::Float || dtype == c10::ScalarType::BFloat16 || dtype == c10::ScalarType::Half;
  return known && settings()[kKernels].values[choices()[kKernels]] != "composite";
}

std::string cpu_kernels() {
  std::ostringstream words;
  words << "isa=" << settings()[kIsa].values[static_cast<int>(isa()) + 1]
        << " gemm.bf16=" << gemm_name(c10::ScalarType::BFloat16) << " gemm.fp16=" << gemm_name(c10::ScalarType::Half)
        << " kernels=" << (fused_kernels(c10::ScalarType::Float) ? "fused" : "composite");
  return words.str();
}

void set_cpu_kernels(const std::string& overrides) {
  std::array<int, kKeys> chosen = from_environment();
  std::istringstream words(overrides);
  for (std::string word; words >> word;) {
    const std::string key = word.substr(0, word.find('='));
    const auto setting =
        std::find_if(settings().begin(), settings().end(), [&](const Setting& one) { return key == one.key; });
    TORCH_CHECK(setting != settings().end() && key.size() < word.size(), "set_cpu_kernels: '", word,
                "' is not isa=..., gemm=... or kernels=...");
    chosen[setting - settings().begin()] = parse(*setting, word.substr(key.size() + 1), key);
  }
  check_runnable(chosen);
  auto& current = choices();
  for (int key = 0; key < kKeys; ++key) {
    current[key] = chosen[key];
  }
}

}  // namespace panatune

TORCH_LIBRARY_FRAGMENT(panatune, m) {
  m.def("cpu_kernels() -> str", &panatune::cpu_kernels);
  m.def("set_cpu_kernels(str overrides) -> ()", [](std::string overrides) { panatune::set_cpu_kernels(overrides); });
}
