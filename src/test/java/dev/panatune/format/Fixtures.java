package dev.panatune.format;

import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Path;

/** The files that {@code src/test/python/make_format_fixtures.py} made. */
final class Fixtures {
  private Fixtures() {}

  static Path path(String name) {
    URL url = Fixtures.class.getResource("/format/" + name);
    if (url == null) {
      throw new AssertionError("no fixture " + name);
    }
    try {
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new AssertionError(e);
    }
  }
}
