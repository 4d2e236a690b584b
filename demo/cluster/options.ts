/** Checks of the values a cluster is given: options at its start, and orders later on. */
import type { HealthTarget } from '../net/health.ts';
import { ClusterError, type ClusterOptions } from './api.ts';

const defaults = {
  port: 0,
  rttMs: 0,
  health: 'gateway' as HealthTarget,
  healthIntervalMs: 5000,
  gatewayTimeoutMs: 60_000,
  quiet: false,
};
export type ClusterSettings = ClusterOptions & typeof defaults;

/** @throws ClusterError of kind `value` that names the option, its range and the value */
export function readClusterOptions(options: ClusterOptions): ClusterSettings {
  const settings = { ...defaults, ...options };
  checkNumber('port', settings.port, 0, 65_534);
  checkRtt('rttMs', settings.rttMs);
  checkNumber('healthIntervalMs', settings.healthIntervalMs, 50, 3_600_000);
  checkNumber('gatewayTimeoutMs', settings.gatewayTimeoutMs, 50, 3_600_000);
  checkHealth(settings.health);
  return settings;
}

export const checkRtt = (name: string, value: unknown): void => checkNumber(name, value, 0, 2000);

export function checkHealth(value: unknown): void {
  if (value === 'gateway' || value === 'app') return;
  throw new ClusterError('value', `health must be "gateway" or "app", not ${formatValue(value)}`);
}

function checkNumber(name: string, value: unknown, min: number, max: number): void {
  const whole = name === 'port';
  if (typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value)))
    return;
  const kind = whole ? 'a whole number' : 'a number';
  throw new ClusterError('value', `${name} must be ${kind} from ${min} to ${max}, not ${formatValue(value)}`);
}

export const formatValue = (value: unknown): string =>
  typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'undefined');
