package dev.panatune.natives;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;

/**
 * The processor, as the operating system tells it.
 *
 * @param model its name, empty where it is not told
 * @param logicalCpus how many of them this process may use
 * @param features the instruction sets that libtorch or our kernels make use of, as Linux names
 *     them
 */
public record CpuFacts(String model, int logicalCpus, List<String> features) {
  private static final Set<String> RELEVANT =
      Set.of(
          "avx2",
          "fma",
          "f16c",
          "avx_vnni",
          "avx512f",
          "avx512bw",
          "avx512vl",
          "avx512_vnni",
          "avx512_bf16",
          "avx512_fp16",
          "amx_tile",
          "amx_bf16",
          "asimd",
          "asimdhp",
          "sve",
          "sve2",
          "bf16",
          "i8mm");

  /** Takes a copy of the list. */
  public CpuFacts {
    features = List.copyOf(features);
  }

  /** Returns the processor that this process runs on. */
  public static CpuFacts current() {
    int cpus = Runtime.getRuntime().availableProcessors();
    try {
      return parse(Files.readString(Path.of("/proc/cpuinfo")), cpus);
    } catch (IOException e) {
      return new CpuFacts("", cpus, List.of());
    }
  }

  static CpuFacts parse(String cpuinfo, int logicalCpus) {
    String flags = first(cpuinfo, "flags") + " " + first(cpuinfo, "Features");
    return new CpuFacts(
        first(cpuinfo, "model name"),
        logicalCpus,
        Arrays.stream(flags.split("\\s+")).filter(RELEVANT::contains).sorted().toList());
  }

  private static String first(String cpuinfo, String key) {
    return cpuinfo
        .lines()
        .map(line -> line.split("\\s*:\\s*", 2))
        .filter(pair -> pair.length == 2 && pair[0].equals(key))
        .map(pair -> pair[1].strip())
        .findFirst()
        .orElse("");
  }
}
