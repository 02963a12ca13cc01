package dev.panatune.natives;

import dev.panatune.error.NativeLibraryException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.HexFormat;
import java.util.Optional;

/** Our own native library, which travels with the classes. */
final class ShimFile {
  private static final int HASH_LETTERS = 16;

  private ShimFile() {}

  /**
   * The file of the shim: in place where the classes lie in a folder, or in one beside the jar that
   * was made of it; else extracted from the jar into the cache, under the hash of its contents.
   */
  static Path locate(Platform platform, Path home) {
    String resource = platform.id() + "/" + platform.library("panatune");
    URL url = ShimFile.class.getResource(resource);
    if (url == null) {
      throw new NativeLibraryException(
          "This build of Panatune has no "
              + resource
              + ": build it on this machine with bin/panatune or 'mvn package'.");
    }
    if (url.getProtocol().equals("file")) {
      return Path.of(URI.create(url.toString()));
    }
    Optional<Path> built = besideJar(url, resource);
    if (built.isPresent()) {
      return built.get();
    }
    try (InputStream in = url.openStream()) {
      return extract(in.readAllBytes(), platform.library("panatune"), home.resolve("shim"));
    } catch (IOException e) {
      throw new NativeLibraryException(
          "The native library could not be extracted into "
              + home
              + ": "
              + e.getMessage()
              + ". PANATUNE_HOME names another place.",
          e);
    }
  }

  /** In a build's folder the jar stands beside the classes that it is made of. */
  private static Optional<Path> besideJar(URL url, String resource) {
    String jar = url.getPath().replaceFirst("!.*", "");
    Path file =
        Path.of(URI.create(jar))
            .resolveSibling("classes")
            .resolve(ShimFile.class.getPackageName().replace('.', '/'))
            .resolve(resource);
    return Optional.of(file).filter(Files::isRegularFile);
  }

  static Path extract(byte[] contents, String name, Path folder) throws IOException {
    Path target =
        folder
            .resolve(HexFormat.of().formatHex(Sha256.of(contents)).substring(0, HASH_LETTERS))
            .resolve(name);
    if (!Files.isRegularFile(target) || Files.size(target) != contents.length) {
      Files.createDirectories(target.getParent());
      Path part = Files.createTempFile(target.getParent(), name, ".part");
      Files.write(part, contents);
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
    return target;
  }
}
