package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import dev.panatune.error.PanatuneException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/**
 * Loads the native libraries in a process of its own and tells what that process looks like. A
 * library that ends the process ends this one, and {@link Doctor} can say so.
 */
final class NativesProbe {
  private static final int DESCRIPTION_BYTES = 1 << 16;

  private NativesProbe() {}

  /** Prints facts as lines of a key and a base64 value; an error goes to standard error. */
  public static void main(String[] arguments) {
    try {
      SymbolLookup shim = NativeLibraries.shim();
      for (Path runtime : OpenMpRuntimes.in(ProcessLibraries.loaded())) {
        print("openmp", runtime.toString());
      }
      print("threads", Integer.toString(readInt(shim, "pt_threads_get")));
      print("observed", Integer.toString(readInt(shim, "pt_threads_observed")));
      print("description", describe(shim));
      NativeLibraries.report().problems().forEach(p -> print("problem", p));
    } catch (PanatuneException e) {
      System.err.println(e.getMessage());
      System.exit(1);
    }
  }

  /** What {@link #main} printed. */
  static ProcessFacts parse(String printed) {
    List<Path> openMp = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    int threads = 0;
    int observed = 0;
    String description = "";
    for (String line : printed.lines().toList()) {
      String[] pair = line.split(" ", 2);
      String value =
          new String(Base64.getDecoder().decode(pair[1].strip()), StandardCharsets.UTF_8);
      switch (pair[0]) {
        case "openmp" -> openMp.add(Path.of(value));
        case "threads" -> threads = Integer.parseInt(value);
        case "observed" -> observed = Integer.parseInt(value);
        case "description" -> description = value;
        case "problem" -> problems.add(value);
        default -> throw new IllegalArgumentException("unknown fact: " + line);
      }
    }
    return new ProcessFacts(openMp, threads, observed, description, problems);
  }

  private static void print(String key, String value) {
    System.out.println(
        key + " " + Base64.getEncoder().encodeToString(value.getBytes(StandardCharsets.UTF_8)));
  }

  /** Calls {@code int32_t name(int32_t* value, pt_error* error)}; no error message is asked for. */
  private static int readInt(SymbolLookup shim, String name) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
      MethodHandle function =
          handle(
              shim,
              name,
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
      check(name, (int) function.invokeExact(value, MemorySegment.NULL));
      return value.get(ValueLayout.JAVA_INT, 0);
    } catch (Throwable e) {
      throw failed(name, e);
    }
  }

  /** Calls {@code int32_t pt_describe(char* text, int64_t capacity, pt_error* error)}. */
  private static String describe(SymbolLookup shim) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text = arena.allocate(DESCRIPTION_BYTES);
      MethodHandle function =
          handle(
              shim,
              "pt_describe",
              FunctionDescriptor.of(
                  ValueLayout.JAVA_INT,
                  ValueLayout.ADDRESS,
                  ValueLayout.JAVA_LONG,
                  ValueLayout.ADDRESS));
      check(
          "pt_describe",
          (int) function.invokeExact(text, (long) DESCRIPTION_BYTES, MemorySegment.NULL));
      return text.getString(0);
    } catch (Throwable e) {
      throw failed("pt_describe", e);
    }
  }

  private static MethodHandle handle(SymbolLookup shim, String name, FunctionDescriptor type) {
    return Linker.nativeLinker().downcallHandle(shim.findOrThrow(name), type);
  }

  private static void check(String name, int status) {
    if (status != 0) {
      throw new NativeLibraryException(name + " failed with code " + status);
    }
  }

  private static NativeLibraryException failed(String name, Throwable cause) {
    return new NativeLibraryException(
        "The native library does not answer to " + name + ": " + cause.getMessage(), cause);
  }
}
