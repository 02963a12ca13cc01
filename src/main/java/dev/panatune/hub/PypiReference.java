package dev.panatune.hub;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.format.ContainedPath;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A file or directory in a wheel of the Python package index: {@code
 * pypi:PACKAGE==VERSION/path/in/the/wheel}.
 *
 * @param name the package's name, normalised: lower case, words joined by hyphens
 * @param version exactly, never a range: what a run was trained on must not change
 * @param path within the wheel, with forward slashes
 */
record PypiReference(String name, String version, String path) {
  static final String SCHEME = "pypi:";

  private static final Pattern PATTERN =
      Pattern.compile(
          "(?<name>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)"
              + "==(?<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)/(?<path>.+)");

  /**
   * Parses a reference that begins with {@link #SCHEME}.
   *
   * @throws ConfigurationException if it is not of the form above
   */
  static PypiReference parse(String reference) {
    Matcher matcher = PATTERN.matcher(reference.substring(SCHEME.length()));
    if (!matcher.matches()) {
      throw new ConfigurationException(
          reference
              + " is not understood; write pypi:PACKAGE==VERSION/path/in/the/wheel, with an exact"
              + " version");
    }
    String path = matcher.group("path").replaceFirst("/$", "");
    try {
      ContainedPath.relative(path, reference);
    } catch (FormatException e) {
      throw new ConfigurationException(e.getMessage(), e);
    }
    String name = matcher.group("name").toLowerCase(Locale.ROOT).replaceAll("[-_.]+", "-");
    return new PypiReference(name, matcher.group("version"), path);
  }

  /** Returns what pip calls it. */
  String requirement() {
    return name + "==" + version;
  }

  /** Returns the name of its folder in the cache. */
  String folder() {
    return name + "-" + version;
  }
}
