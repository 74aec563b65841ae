/** `PICKET_LONG=1` lets fault tests last as long as the faults they are about; without it they are short. */
export const longMode = process.env['PICKET_LONG'] === '1';
