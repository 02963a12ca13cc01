package dev.panatune.text;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import dev.panatune.error.FormatException;
import dev.panatune.error.PanatuneException;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.LongFunction;
import java.util.function.LongSupplier;

/** A tokenizer of the native library: any number of threads may use it, until it is closed. */
final class NativeTokenizer implements AutoCloseable {
  private final TokenizersLibrary library = TokenizerLibrary.get();
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private long handle;

  /**
   * Creates it from the text of a tokenizer.json.
   *
   * @param source what the text is, for the message of an error
   */
  NativeTokenizer(String json, String source) {
    try {
      handle = library.createTokenizerFromString(json);
    } catch (RuntimeException e) {
      throw new FormatException(
          source + " is not a tokenizer that can be used: " + e.getMessage(), e);
    }
    // A tokenizer.json may carry both; the length of a text is not the tokenizer's business here.
    library.disableTruncation(handle);
    library.disablePadding(handle);
  }

  int[] encode(String text, boolean addSpecialTokens) {
    return encoded(
        () -> library.encode(handle, text, addSpecialTokens),
        encoding -> toInts(library.getTokenIds(encoding)));
  }

  int[] encodePair(String text, String pair, boolean addSpecialTokens) {
    return encoded(
        () -> library.encodeDual(handle, text, pair, addSpecialTokens),
        encoding -> toInts(library.getTokenIds(encoding)));
  }

  Encoding encodeWithOffsets(String text, boolean addSpecialTokens) {
    return encoded(
        () -> library.encode(handle, text, addSpecialTokens),
        encoding -> {
          int[] ids = toInts(library.getTokenIds(encoding));
          return offsets(text, ids, library.getTokenCharSpans(encoding));
        });
  }

  /** The library counts code points; Java counts UTF-16 units. */
  private static Encoding offsets(String text, int[] ids, CharSpan[] spans) {
    int[] units = text.codePoints().map(Character::charCount).toArray();
    int[] place = new int[units.length + 1];
    for (int i = 0; i < units.length; i++) {
      place[i + 1] = place[i] + units[i];
    }
    int[] starts = new int[ids.length];
    int[] ends = new int[ids.length];
    for (int i = 0; i < ids.length; i++) {
      starts[i] = spans[i] == null ? 0 : place[spans[i].getStart()];
      ends[i] = spans[i] == null ? 0 : place[spans[i].getEnd()];
    }
    return new Encoding(ids, starts, ends);
  }

  private <T> T encoded(LongSupplier encoder, LongFunction<T> reader) {
    lock.readLock().lock();
    try {
      requireOpen();
      long encoding = encoder.getAsLong();
      try {
        return reader.apply(encoding);
      } finally {
        library.deleteEncoding(encoding);
      }
    } catch (ArithmeticException e) {
      throw new PanatuneException("the tokenizer gives an id of more than 31 bits", e);
    } catch (PanatuneException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new PanatuneException("the tokenizer cannot encode this text: " + e.getMessage(), e);
    } finally {
      lock.readLock().unlock();
    }
  }

  String decode(int[] ids, boolean skipSpecialTokens) {
    long[] wide = new long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0) {
        throw new PanatuneException(
            "a token id cannot be negative, but number " + i + " is " + ids[i]);
      }
      wide[i] = ids[i];
    }
    lock.readLock().lock();
    try {
      requireOpen();
      return library.decode(handle, wide, skipSpecialTokens);
    } finally {
      lock.readLock().unlock();
    }
  }

  private static int[] toInts(long[] values) {
    int[] ints = new int[values.length];
    for (int i = 0; i < values.length; i++) {
      ints[i] = Math.toIntExact(values[i]);
    }
    return ints;
  }

  private void requireOpen() {
    if (handle == 0) {
      throw new PanatuneException("the tokenizer is closed");
    }
  }

  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      if (handle != 0) {
        library.deleteTokenizer(handle);
        handle = 0;
      }
    } finally {
      lock.writeLock().unlock();
    }
  }
}
