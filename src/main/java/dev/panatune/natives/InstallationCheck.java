package dev.panatune.natives;

import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Checks that the files of an installation are the ones that were installed, without loading any.
 */
final class InstallationCheck {
  private final Platform platform;
  private final List<String> problems = new ArrayList<>();

  InstallationCheck(Platform platform) {
    this.platform = platform;
  }

  List<String> problems() {
    return List.copyOf(problems);
  }

  void torch(LocatedLibrary torch) {
    Path lib = torch.folder().resolve("lib");
    Path site = torch.folder().getParent();
    WheelRecord record = record(site, "torch", "nvidia-cuda-runtime", "nvidia-cuda-cupti");
    List<Path> files = new ArrayList<>();
    files.add(lib.resolve(platform.library("c10")));
    files.add(lib.resolve(platform.library("torch_cpu")));
    LibraryLoader.openMpRuntimes(lib).forEach(files::add);
    for (Path folder : LibraryLoader.nvidiaFolders(torch)) {
      record.files().keySet().stream()
          .map(site::resolve)
          .filter(f -> f.startsWith(folder))
          .filter(f -> f.getFileName().toString().matches("lib(cudart|cupti)\\.so.*"))
          .forEach(files::add);
    }
    files.forEach(f -> check(f, site, record, torch.origin()));
  }

  void bitsandbytes(LocatedLibrary bitsandbytes) {
    Path site = bitsandbytes.folder().getParent();
    check(
        bitsandbytes.folder().resolve(platform.library("bitsandbytes_cpu")),
        site,
        record(site, "bitsandbytes"),
        bitsandbytes.origin());
  }

  void shim(Path shim) {
    readable(shim)
        .ifPresent(what ->
            problems.add(what + " Build Panatune anew: 'mvn clean package', or bin/panatune."));
  }

  private void check(Path file, Path site, WheelRecord record, String origin) {
    broken(file, site, record)
        .ifPresent(what ->
            problems.add(
                what
                    + (origin.equals("cache")
                        ? " Delete " + site + " and run 'panatune setup'."
                        : " Install it anew, or unset " + origin + " and run 'panatune setup'.")));
  }

  private Optional<String> broken(Path file, Path site, WheelRecord record) {
    if (!Files.isRegularFile(file)) {
      return Optional.of(file + " is missing.");
    }
    Optional<String> unreadable = readable(file);
    if (unreadable.isPresent()) {
      return unreadable;
    }
    try {
      WheelRecord.RecordedFile recorded = record.of(site.relativize(file)).orElse(null);
      boolean same =
          recorded == null
              || recorded.size() == Files.size(file)
                  && recorded
                      .sha256()
                      .equals(
                          Base64.getUrlEncoder().withoutPadding().encodeToString(Sha256.of(file)));
      return same
          ? Optional.empty()
          : Optional.of(file + " is not the file that was installed: size or hash differ.");
    } catch (IOException e) {
      return Optional.of(file + " cannot be read: " + e.getMessage());
    }
  }

  private Optional<String> readable(Path file) {
    try {
      if (platform.isLinux()) {
        ElfFile.read(file, platform);
      }
      return Optional.empty();
    } catch (FormatException e) {
      return Optional.of(e.getMessage());
    }
  }

  private static WheelRecord record(Path site, String... packages) {
    try {
      return WheelRecord.read(site, packages);
    } catch (IOException e) {
      return new WheelRecord(Map.of());
    }
  }
}
