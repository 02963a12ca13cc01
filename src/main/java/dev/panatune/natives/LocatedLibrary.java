package dev.panatune.natives;

import java.nio.file.Path;

/**
 * An installation of libtorch or of bitsandbytes that was found.
 *
 * @param folder libtorch: the folder with {@code lib/}; bitsandbytes: the folder of its libraries
 * @param version as the installation states it, for example {@code 2.13.0+cu130}
 * @param origin what led to it: {@code PANATUNE_TORCH}, {@code LIBTORCH} or {@code cache}
 */
public record LocatedLibrary(Path folder, String version, String origin) {

  /** The version without what follows a plus sign: {@code 2.13.0} of {@code 2.13.0+cu130}. */
  String release() {
    return version.replaceFirst("\\+.*", "");
  }
}
