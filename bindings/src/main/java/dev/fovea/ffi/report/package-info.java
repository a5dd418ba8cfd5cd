/** How libraries were found, for whoever asks: text alone, nothing that could be called. */
package dev.fovea.ffi.report;
