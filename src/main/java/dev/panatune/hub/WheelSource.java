package dev.panatune.hub;

import java.io.IOException;
import java.nio.file.Path;

/** Where wheels come from. */
@FunctionalInterface
interface WheelSource {
  /**
   * Fetches one wheel into an empty folder.
   *
   * @param requirement {@code NAME==VERSION}
   * @return the wheel's file
   * @throws IOException if it cannot be had; the message says why in words for the user
   */
  Path fetch(String requirement, Path folder) throws IOException;
}
