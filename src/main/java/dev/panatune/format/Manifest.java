package dev.panatune.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The list of what a saved directory holds, {@code manifest.json}: every file but itself with its
 * size and SHA-256. A directory whose manifest verifies is whole.
 *
 * @param files by path relative to the directory, with forward slashes
 */
public record Manifest(SortedMap<String, Entry> files) {
  /** The name of the manifest's own file. */
  public static final String FILE_NAME = "manifest.json";

  private static final int VERSION = 1;

  /**
   * One file.
   *
   * @param size in bytes
   * @param sha256 in 64 lower-case hexadecimal digits
   */
  public record Entry(long size, String sha256) {}

  /** Makes the manifest of what {@code directory} holds now; links in it are refused. */
  public static Manifest of(Path directory) {
    SortedMap<String, Entry> files = new TreeMap<>();
    try {
      for (Path path : Trees.files(directory)) {
        String name = name(directory, path);
        if (name.equals(FILE_NAME)) {
          continue;
        }
        if (!Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
          throw new FormatException(
              Printable.path(path) + " is no regular file; a saved directory holds only such");
        }
        files.put(name, entry(path));
      }
    } catch (IOException e) {
      throw StorageFailure.of("read", directory, e);
    }
    return new Manifest(files);
  }

  /**
   * Reads the manifest of {@code directory}, without comparing it with the files.
   *
   * @throws FormatException if it is missing or malformed
   */
  public static Manifest read(Path directory) {
    Path file = directory.resolve(FILE_NAME);
    if (!Files.exists(file)) {
      throw new FormatException(
          Printable.path(directory) + " has no " + FILE_NAME + ": it was not saved to its end");
    }
    Map<String, Object> document = StrictJson.readObject(file);
    if (!Integer.valueOf(VERSION).equals(document.get("version"))) {
      throw new FormatException(
          Printable.path(file)
              + " has the version "
              + document.get("version")
              + "; this Panatune reads version "
              + VERSION);
    }
    if (!(document.get("files") instanceof Map<?, ?> listed)) {
      throw new FormatException(Printable.path(file) + " lists no files");
    }
    SortedMap<String, Entry> files = new TreeMap<>();
    for (Map.Entry<?, ?> item : listed.entrySet()) {
      String name = (String) item.getKey();
      ContainedPath.relative(name, Printable.path(file));
      files.put(name, parse(item.getValue(), name, file));
    }
    return new Manifest(files);
  }

  /**
   * Compares {@code directory} with its manifest: every listed file is there, with its size and
   * SHA-256. Files that are not listed are none of its business.
   *
   * @return the manifest
   * @throws FormatException if the manifest or a listed file is missing or different; named
   */
  public static Manifest verify(Path directory) {
    Manifest manifest = read(directory);
    manifest.files.forEach((name, expected) -> verify(directory, name, expected));
    return manifest;
  }

  /** Saves it in {@code directory} (temporary file, fsync, rename). */
  void write(Path directory) {
    AtomicFiles.write(
        directory.resolve(FILE_NAME),
        out -> {
          try (JsonGenerator json = new JsonFactory().createGenerator(out)) {
            json.setPrettyPrinter(new DefaultPrettyPrinter());
            json.writeStartObject();
            json.writeNumberField("version", VERSION);
            json.writeObjectFieldStart("files");
            for (Map.Entry<String, Entry> file : files.entrySet()) {
              json.writeObjectFieldStart(file.getKey());
              json.writeNumberField("size", file.getValue().size());
              json.writeStringField("sha256", file.getValue().sha256());
              json.writeEndObject();
            }
            json.writeEndObject();
            json.writeEndObject();
          }
        });
  }

  /** Returns the manifest's name for a file below {@code directory}. */
  static String name(Path directory, Path file) {
    return directory.relativize(file).toString().replace('\\', '/');
  }

  private static void verify(Path directory, String name, Entry expected) {
    Path file = directory.resolve(name);
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      throw damaged(directory, name, "is missing");
    }
    try {
      long size = Files.size(file);
      if (size != expected.size()) {
        throw damaged(
            directory, name, "has " + size + " bytes where " + expected.size() + " were saved");
      }
      if (!entry(file).equals(expected)) {
        throw damaged(directory, name, "is not what was saved (its SHA-256 differs)");
      }
    } catch (IOException e) {
      throw StorageFailure.of("read", file, e);
    }
  }

  private static FormatException damaged(Path directory, String name, String what) {
    return new FormatException(
        Printable.path(directory) + " is damaged: " + Printable.quoted(name) + " " + what);
  }

  private static Entry parse(Object value, String name, Path file) {
    if (value instanceof Map<?, ?> fields
        && fields.get("size") instanceof Number size
        && fields.get("sha256") instanceof String sha256
        && sha256.matches("[0-9a-f]{64}")) {
      return new Entry(size.longValue(), sha256);
    }
    throw new FormatException(
        Printable.path(file) + " has no size and SHA-256 for " + Printable.quoted(name));
  }

  private static Entry entry(Path file) throws IOException {
    MessageDigest digest = sha256();
    ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 18);
    long size = 0;
    try (var channel = Files.newByteChannel(file)) {
      while (channel.read(buffer) >= 0) {
        buffer.flip();
        size += buffer.remaining();
        digest.update(buffer);
        buffer.clear();
      }
    }
    return new Entry(size, HexFormat.of().formatHex(digest.digest()));
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}
