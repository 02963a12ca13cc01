package dev.panatune.natives;

import java.util.List;

/**
 * One line of {@code natives.lock}: a wheel, and what is unpacked of it.
 *
 * @param group {@code torch} or {@code bitsandbytes}: which folder of the cache it is a part of
 * @param platform the {@link Platform#id()} that it is for
 * @param name the package's name
 * @param version the package's version
 * @param pipPlatform what pip calls the platform
 * @param sha256 of the wheel, lower-case hexadecimal
 * @param unpacked files in the wheel; names that end in {@code /} are folders
 */
record LockedWheel(
    String group,
    String platform,
    String name,
    String version,
    String pipPlatform,
    String sha256,
    List<String> unpacked) {

  LockedWheel {
    unpacked = List.copyOf(unpacked);
  }

  /** As pip wants it in a requirements file, hash included. */
  String requirement() {
    return name + "==" + version + " --hash=sha256:" + sha256;
  }

  /** Its name and version, for messages. */
  @Override
  public String toString() {
    return name + " " + version;
  }

  boolean unpacks(String entry) {
    return unpacked.stream().anyMatch(u -> u.endsWith("/") ? entry.startsWith(u) : entry.equals(u));
  }
}
