/** What modules of Fovea alone see of devices and calls. */
package dev.fovea.access;
