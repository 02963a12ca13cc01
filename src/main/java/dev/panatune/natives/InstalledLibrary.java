package dev.panatune.natives;

import java.util.Optional;

/**
 * A library that Panatune uses, and what there is of it.
 *
 * @param name {@code torch} or {@code bitsandbytes}
 * @param pinned the version that this Panatune is made for
 * @param found the installation, empty where there is none
 */
public record InstalledLibrary(String name, String pinned, Optional<LocatedLibrary> found) {}
