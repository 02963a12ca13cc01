package dev.panatune.format;

/**
 * Where a member of a zip file lies.
 *
 * @param name as the file spells it
 * @param deflated whether its data are compressed; otherwise they are stored as they are
 * @param offset of its data from the start of the file
 * @param storedSize the bytes that its data take in the file
 * @param size the bytes that they have, uncompressed
 * @param crc the CRC-32 of the uncompressed data
 */
record ZipMember(
    String name, boolean deflated, long offset, long storedSize, long size, long crc) {}
