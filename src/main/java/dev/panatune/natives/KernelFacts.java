package dev.panatune.natives;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which kernels run in a process.
 *
 * @param cpuCapability the instruction set of libtorch's own kernels, such as {@code AVX2}
 * @param panatune what ours are compiled for and how they multiply, as {@code key=value} words
 */
public record KernelFacts(String cpuCapability, String panatune) {
  private static final Pattern CAPABILITY = Pattern.compile("(?m)^CPU capability: (\\S+)");
  private static final Pattern KERNELS = Pattern.compile("(?m)^Panatune kernels: (.+)$");

  /** Finds them in what the native side says of itself. */
  public static KernelFacts in(String description) {
    return new KernelFacts(first(CAPABILITY, description), first(KERNELS, description));
  }

  private static String first(Pattern pattern, String text) {
    Matcher matcher = pattern.matcher(text);
    return matcher.find() ? matcher.group(1) : "unknown";
  }
}
