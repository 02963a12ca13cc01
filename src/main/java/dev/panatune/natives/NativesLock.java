package dev.panatune.natives;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The versions and hashes of the native libraries that this build of Panatune is made for: {@code
 * cmake/natives.lock} of the source tree, a resource at run time.
 *
 * @param wheels one per line, in the file's order
 */
record NativesLock(List<LockedWheel> wheels) {
  static final String TORCH = "torch";
  static final String BITSANDBYTES = "bitsandbytes";

  private static final int COLUMNS = 5;

  NativesLock {
    wheels = List.copyOf(wheels);
  }

  static NativesLock load() {
    try (InputStream in = NativesLock.class.getResourceAsStream("natives.lock")) {
      if (in == null) {
        throw new FormatException("natives.lock is missing from this build of Panatune.");
      }
      return parse(new String(in.readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static NativesLock parse(String text) {
    List<LockedWheel> wheels = new ArrayList<>();
    for (String line : text.lines().toList()) {
      if (!line.isBlank() && !line.startsWith("#")) {
        wheels.add(parseLine(line.strip().split(" +"), line));
      }
    }
    return new NativesLock(wheels);
  }

  private static LockedWheel parseLine(String[] words, String line) {
    String[] requirement = words.length > COLUMNS ? words[2].split("==") : new String[0];
    if (requirement.length != 2 || !words[4].matches("[0-9a-f]{64}")) {
      throw new FormatException(
          "natives.lock: expected 'group platform package==version pip-platform sha256 files...' in: "
              + line);
    }
    return new LockedWheel(
        words[0],
        words[1],
        requirement[0],
        requirement[1],
        words[3],
        words[4],
        Arrays.asList(words).subList(COLUMNS, words.length));
  }

  /** What is fetched for one group on one platform; empty where the platform is not supported. */
  List<LockedWheel> wheels(String group, Platform platform) {
    return wheels.stream()
        .filter(w -> w.group().equals(group) && w.platform().equals(platform.id()))
        .toList();
  }

  /** The pinned version of the package that a group is named after. */
  String version(String group) {
    return wheels.stream()
        .filter(w -> w.name().equals(group))
        .map(LockedWheel::version)
        .findFirst()
        .orElseThrow(() -> new FormatException("natives.lock: no package " + group));
  }
}
